//! The model a graph is: its trees in a forest, and what it makes of their sums.

use super::classes::{Labels, Name, Pick};
use super::columns::Program;
use super::graph::{Graph, Scores, Source, Value};
use super::grow::{Grower, category_features};
use super::{bad, proto, unsupported};
use crate::error::ScoreError;
use crate::score::features::{Feature, FeatureKind, Features};
use crate::score::forest::Forest;
use crate::score::forest::objective::Objective;
use crate::score::forest::tree::Tree;
use crate::score::known::Known;
use crate::score::{Restricted, Scorer, Scratch, Task};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use std::rc::Rc;
use std::sync::Arc;

/// A loaded ONNX model.
#[derive(Debug)]
pub struct OnnxModel {
    /// The trees; its sums are not transformed.
    pub forest: Forest,
    task: Task,
    /// Whether sums are rounded to `float` before anything is made of them.
    single: bool,
    /// One column for numbers and two classes, else one per class.
    program: Arc<Program>,
    /// The choice of a class and the classes' labels.
    classes: Option<(Pick, ArrayRef)>,
}

impl OnnxModel {
    /// The model of a file's graph.
    pub(super) fn of(graph: &proto::Graph) -> Result<Self, ScoreError> {
        let state = Graph::read(graph)?;
        let (mut scores, labels) = outputs(&state, graph)?;
        let mut pick = labels.as_ref().map(|l| l.pick.clone());
        let sources: Vec<&Source> = scores.sources.iter().map(|s| &state.sources[*s]).collect();
        let mut targets = sources.first().map_or(0, |s| s.ensemble.targets);
        let mut first_target = 0;
        let columns = scores.program.columns.len();
        let task = match &labels {
            None if (columns, targets) == (1, 1) => Task::Regression,
            None => return unsupported(format!("{columns} numbers per row")),
            Some(labels) if labels.names.len() != columns => {
                return bad(format!(
                    "{} class labels for {columns} columns of scores",
                    labels.names.len()
                ));
            }
            Some(_) if targets == 1 && scores.program.is_pair() => {
                scores.program.columns.remove(0);
                Task::Binary
            }
            Some(_) if (columns, targets) == (2, 1) => {
                // Two columns that are no probabilities need the place of two: the first has no trees.
                (targets, first_target) = (2, 1);
                scores.program.move_sums(|_| 1);
                pick = pick.map(|pick| pick.of_second());
                Task::Multiclass { classes: 2 }
            }
            Some(_) if columns == targets && columns > 1 => Task::Multiclass { classes: columns },
            Some(_) => return unsupported(format!("{columns} scores of {targets} sums")),
        };
        let classes = match (pick, &labels) {
            (Some(pick), Some(labels)) => Some((pick, array(&labels.names)?)),
            _ => None,
        };
        Ok(Self {
            forest: forest(&state, &sources, targets, first_target)?,
            task,
            single: sources.iter().all(|s| s.single),
            program: Arc::new(scores.program),
            classes,
        })
    }

    fn sum(&self, sum: f64) -> f64 {
        if self.single {
            f64::from(sum as f32)
        } else {
            sum
        }
    }
}

/// What the outputs of a graph are: scores, and labels unless it predicts a number.
fn outputs(
    state: &Graph,
    graph: &proto::Graph,
) -> Result<(Scores, Option<Rc<Labels>>), ScoreError> {
    let mut scores: Option<Scores> = None;
    let mut labels: Option<Rc<Labels>> = None;
    for output in &graph.outputs {
        match (state.value(&output.name)?, &mut scores, &labels) {
            (Value::Labels(found), _, None) => labels = Some(Rc::clone(found)),
            (Value::Labels(found), _, Some(known)) if found == known => {}
            (Value::Scores(found), None, _) => scores = Some(Scores::clone(found)),
            (Value::Scores(found), Some(known), _) => {
                let same =
                    known.sources == found.sources && known.program.stages == found.program.stages;
                if !same {
                    return unsupported("several outputs of scores");
                }
                // One output per class.
                known
                    .program
                    .columns
                    .extend_from_slice(&found.program.columns);
            }
            _ => return unsupported(format!("output \"{}\"", output.name)),
        }
    }
    let scores = match (scores, &labels) {
        (Some(scores), _) => scores,
        (None, Some(labels)) => Scores::clone(&labels.scores),
        (None, None) => return bad("a graph without outputs"),
    };
    if labels.is_none()
        && scores.program.columns.len() > 1
        && let [source] = scores.sources.as_slice()
    {
        labels.clone_from(&state.sources[*source].labels);
    }
    if labels
        .as_ref()
        .is_some_and(|l| l.scores.sources != scores.sources)
    {
        return unsupported("labels and scores of different trees");
    }
    Ok((scores, labels))
}

/// Labels as a column.
fn array(names: &[Name]) -> Result<ArrayRef, ScoreError> {
    let int = |name: &Name| match name {
        Name::Int(i) => Some(*i),
        Name::Text(_) => None,
    };
    let text = |name: &Name| match name {
        Name::Text(t) => Some(t.clone()),
        Name::Int(_) => None,
    };
    if let Some(ints) = names.iter().map(int).collect::<Option<Vec<i64>>>() {
        return Ok(Arc::new(Int64Array::from(ints)));
    }
    match names.iter().map(text).collect::<Option<Vec<String>>>() {
        Some(texts) => Ok(Arc::new(StringArray::from(texts))),
        None => unsupported("class labels of two types"),
    }
}

/// All trees of the ensembles: that of output k stand at k, k + `outputs` and so on; the sums of the ensembles'
/// first target are those of output `first`.
fn forest(
    state: &Graph,
    sources: &[&Source],
    outputs: usize,
    first: usize,
) -> Result<Forest, ScoreError> {
    let asked = || sources.iter().map(|s| (&s.ensemble, s.inputs.as_slice()));
    let categories = category_features(asked());
    let mut of_output: Vec<Vec<Tree>> = vec![Vec::new(); outputs];
    let mut room = 65_536;
    for (ensemble, inputs) in asked() {
        room += 4 * (ensemble.nodes.len() + ensemble.weights.len());
        let grown = Grower::new(ensemble, inputs, &categories).grow()?;
        for (trees, own) in of_output[first..].iter_mut().zip(grown) {
            trees.extend(own);
        }
    }
    let rounds = of_output.iter().map(Vec::len).max().unwrap_or(0).max(1);
    if rounds.saturating_mul(outputs) > room {
        return unsupported("trees this unevenly spread over classes");
    }
    let mut trees = Vec::with_capacity(rounds * outputs);
    let mut of_output: Vec<_> = of_output.into_iter().map(Vec::into_iter).collect();
    for _ in 0..rounds {
        for own in &mut of_output {
            trees.push(own.next().unwrap_or_else(|| Tree {
                leaves: vec![0.0],
                ..Tree::default()
            }));
        }
    }
    let mut features = state.features();
    for (index, feature) in (0_u32..).zip(&mut features) {
        if categories.contains(&index) {
            feature.kind = FeatureKind::Code;
        }
    }
    if features.is_empty() {
        return bad("a graph without inputs");
    }
    Ok(Forest::new(
        features,
        trees,
        outputs,
        Objective::Identity,
        false,
    ))
}

impl Pick {
    /// The same choice when the only sum has become the second of two.
    fn of_second(self) -> Self {
        match self {
            Self::Above { bound, .. } => Self::Above { target: 1, bound },
            Self::Largest => Self::Largest,
            Self::LargestOf(mut program) => {
                program.move_sums(|_| 1);
                Self::LargestOf(program)
            }
        }
    }
}

/// The first place of the largest value.
fn largest(row: &[f64]) -> u32 {
    let mut best = 0;
    for (place, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = place;
        }
    }
    best as u32
}

impl Scorer for OnnxModel {
    fn feature_names(&self) -> &[String] {
        self.forest.feature_names()
    }

    fn features(&self) -> &[Feature] {
        self.forest.features()
    }

    fn task(&self) -> Task {
        self.task
    }

    fn outputs(&self) -> usize {
        self.forest.outputs()
    }

    fn score(
        &self,
        features: &Features,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.forest.score(features, scratch, out)
    }

    fn transform(&self, scores: &mut [f64]) {
        let mut scratch = <[Vec<f64>; 2]>::default();
        let mut sums = Vec::with_capacity(self.outputs());
        for row in scores.chunks_exact_mut(self.outputs()) {
            sums.clear();
            sums.extend(row.iter().map(|sum| self.sum(*sum)));
            self.program.run(&sums, &mut scratch, row);
        }
    }

    fn classes(&self, raw: &[f64]) -> Option<Vec<u32>> {
        let (pick, _) = self.classes.as_ref()?;
        let mut scratch = <[Vec<f64>; 2]>::default();
        let (mut sums, mut columns) = (Vec::new(), Vec::new());
        let rows = raw.chunks_exact(self.outputs());
        let class = |row: &[f64]| {
            sums.clear();
            sums.extend(row.iter().map(|sum| self.sum(*sum)));
            match pick {
                Pick::Above { target, bound } => u32::from(sums[*target] > *bound),
                Pick::Largest => largest(&sums),
                Pick::LargestOf(program) => {
                    columns.resize(program.columns.len(), 0.0);
                    program.run(&sums, &mut scratch, &mut columns);
                    largest(&columns)
                }
            }
        };
        Some(rows.map(class).collect())
    }

    fn uses(&self, feature: usize) -> bool {
        self.forest.uses(feature)
    }

    fn restricted(&self, known: &[Known]) -> Option<Restricted> {
        let forest = self.forest.pruned(known)?;
        Some(Restricted {
            nodes: forest.nodes(),
            nodes_before: self.forest.nodes(),
            scorer: Arc::new(Self {
                forest,
                task: self.task,
                single: self.single,
                program: Arc::clone(&self.program),
                classes: self.classes.clone(),
            }),
        })
    }

    fn labels(&self) -> Option<ArrayRef> {
        self.classes.as_ref().map(|(_, labels)| Arc::clone(labels))
    }

    fn memory_bytes(&self) -> usize {
        let labels = self
            .classes
            .as_ref()
            .map_or(0, |(_, l)| l.get_array_memory_size());
        size_of::<Self>() + self.forest.memory_bytes() + 32 * self.program.size() + labels
    }
}
