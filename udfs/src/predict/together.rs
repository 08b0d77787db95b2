//! Several calls as one function of all their arguments, which does once what they have in common.
//!
//! Calls of one model over the same arguments, `predict` beside `predict_proba`, share its raw scores. Models of trees
//! that share arguments are scored together (`forest::joined`) as soon as that pays.
//!
//! The result is a struct with a field for each call, by its number: `0`, `1` …

use super::function::{Predict, answer};
use super::{Output, PinnedModel, external};
use crate::error::ScoreError;
use crate::score::features::{Column, Feature, FeatureKind, Features};
use crate::score::forest::joined::{Joined, Part};
use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::Result as PlanResult;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A function of several calls.
#[derive(Debug)]
pub struct Company {
    /// The function, of all arguments.
    pub function: Arc<ScalarUDF>,
    /// Which call each field of its result is.
    pub calls: Vec<usize>,
}

/// The first of these calls that has something in common with others, and these; each comes with the places of its
/// arguments among all. `None` when no two have.
pub fn together(calls: &[(Predict, Vec<usize>)]) -> Option<Company> {
    let all: Vec<Scoring> = calls.iter().map(Scoring::of).collect();
    (0..all.len()).find_map(|first| {
        let with_first = |other: &usize| *other == first || all[first].shares(&all[*other]);
        let calls: Vec<usize> = (first..all.len()).filter(with_first).collect();
        (calls.len() > 1).then(|| Company {
            function: Arc::new(ScalarUDF::new_from_impl(Together::new(&all, &calls))),
            calls,
        })
    })
}

/// Several calls.
#[derive(Debug)]
pub struct Together {
    name: String,
    members: Vec<Member>,
    scorings: Vec<Scoring>,
    shared: Option<Shared>,
    fields: Fields,
    signature: Signature,
}

/// What is given of a scoring.
#[derive(Debug)]
struct Member {
    model: Arc<PinnedModel>,
    output: Output,
    scoring: usize,
}

/// Raw scores of a model.
#[derive(Debug, Clone, PartialEq)]
struct Scoring {
    /// One of the calls that need them.
    predict: Predict,
    /// Places of its arguments.
    arguments: Vec<usize>,
}

impl Scoring {
    fn of((predict, arguments): &(Predict, Vec<usize>)) -> Self {
        Self {
            predict: predict.clone(),
            arguments: arguments.clone(),
        }
    }

    /// Whether the raw scores are the same ones.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.predict.shared_scorer(), other.predict.shared_scorer())
            && self.predict.inputs() == other.predict.inputs()
            && self.arguments == other.arguments
    }

    /// Whether some of the work is the same.
    fn shares(&self, other: &Self) -> bool {
        let are_forests = [self, other].map(|s| s.predict.scorer().forest().is_some());
        self.is_same(other)
            || are_forests == [true; 2] && self.used().any(|u| other.used().any(|o| o == u))
    }

    /// The arguments that count, and how each is read.
    fn used(&self) -> impl Iterator<Item = (usize, &FeatureKind)> {
        let features = self.predict.model.features();
        let inputs = self.predict.inputs().iter().zip(&self.arguments);
        let used = inputs.filter(|(feature, _)| self.predict.scorer().uses(**feature));
        used.map(|(feature, argument)| (*argument, &features[*feature].kind))
    }

    fn args(&self, args: &[ColumnarValue]) -> Vec<ColumnarValue> {
        self.arguments.iter().map(|at| args[*at].clone()).collect()
    }
}

/// How all scorings are one.
#[derive(Debug)]
struct Shared {
    joined: Arc<Joined>,
    /// The argument of each column, and how it is read.
    columns: Vec<(usize, Feature)>,
}

impl Shared {
    fn of(scorings: &[Scoring]) -> Option<Self> {
        if scorings.len() == 1 {
            return None;
        }
        let mut columns: Vec<(usize, Feature)> = Vec::new();
        let mut part = |Scoring { predict, arguments }: &Scoring| {
            let scorer = predict.shared_scorer();
            let mut of_features = vec![None; predict.model.features().len()];
            for (feature, argument) in predict.inputs().iter().zip(arguments) {
                if !scorer.uses(*feature) {
                    continue;
                }
                let description = &predict.model.features()[*feature];
                let kind: &FeatureKind = &description.kind;
                let same = |(at, of): &(usize, Feature)| at == argument && of.kind == *kind;
                let column = columns.iter().position(same).unwrap_or_else(|| {
                    columns.push((*argument, description.clone()));
                    columns.len() - 1
                });
                of_features[*feature] = Some(column);
            }
            // A feature without an argument is missing in every row; only a forest alone says so.
            let given = |feature: usize| of_features[feature].is_some() || !scorer.uses(feature);
            (0..of_features.len())
                .all(given)
                .then(|| Part::new(scorer, of_features.clone()))
        };
        let parts = scorings.iter().map(&mut part).collect::<Option<Vec<_>>>()?;
        let joined = scorings[0].predict.model.joined(parts)?;
        Some(Self { joined, columns })
    }

    /// The raw scores of each scoring, if that pays; and of how many rows.
    fn scores(
        &self,
        model: &PinnedModel,
        args: &[ColumnarValue],
        rows: usize,
    ) -> PlanResult<Option<Vec<Vec<f64>>>> {
        if !self.joined.pays(rows) {
            return Ok(None);
        }
        let read = |(argument, description): &(usize, Feature)| match &args[*argument] {
            ColumnarValue::Array(array) => description.read(array).map_err(external),
            ColumnarValue::Scalar(value) => {
                let column = description.read(&value.to_array()?).map_err(external)?;
                Ok(Column::constant(&column))
            }
        };
        let columns = self.columns.iter().map(read).collect::<PlanResult<_>>()?;
        let features = Features::new(columns, rows).map_err(external)?;
        Ok(model.with_scratch(|scratch| self.joined.score(&features, scratch)))
    }
}

impl Together {
    /// Some of these calls.
    fn new(all: &[Scoring], calls: &[usize]) -> Self {
        let mut scorings: Vec<Scoring> = Vec::new();
        let mut members = Vec::new();
        for call in calls.iter().map(|call| &all[*call]) {
            let known = scorings.iter().position(|scoring| scoring.is_same(call));
            let scoring = known.unwrap_or_else(|| {
                scorings.push(call.clone());
                scorings.len() - 1
            });
            members.push(Member {
                model: Arc::clone(&call.predict.model),
                output: call.predict.output,
                scoring,
            });
        }
        let names: Vec<&str> = calls.iter().map(|c| &*all[*c].predict.name).collect();
        let field = |(at, call): (usize, &usize)| {
            Field::new(at.to_string(), all[*call].predict.data_type.clone(), true)
        };
        Self {
            name: names.join(" with "),
            fields: calls.iter().enumerate().map(field).collect(),
            signature: scorings[0].predict.signature.clone(),
            members,
            shared: Shared::of(&scorings),
            scorings,
        }
    }

    /// The raw scores of each scoring, and of how many rows they are: one, when all rows are the same.
    fn scores(&self, args: &[ColumnarValue], rows: usize) -> PlanResult<(Vec<Vec<f64>>, bool)> {
        let constant =
            !args.is_empty() && args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        if !constant && let Some(shared) = &self.shared {
            let model = &self.scorings[0].predict.model;
            if let Some(scores) = shared.scores(model, args, rows)? {
                return Ok((scores, false));
            }
        }
        let one = |scoring: &Scoring| {
            let Scoring { predict, .. } = scoring;
            let (features, alone) = predict.features(&scoring.args(args), rows)?;
            let scores = predict.model.raw_by(predict.scorer(), &features);
            let scores = scores.map_err(external)?;
            Ok(match alone && !constant {
                true => scores.repeat(rows),
                false => scores,
            })
        };
        let scores = self.scorings.iter().map(one).collect::<PlanResult<_>>()?;
        Ok((scores, constant))
    }
}

impl PartialEq for Together {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.scorings == other.scorings
    }
}

impl Eq for Together {}

impl Hash for Together {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Together {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> PlanResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Struct(self.fields.clone()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> PlanResult<FieldRef> {
        let data_type = DataType::Struct(self.fields.clone());
        Ok(Arc::new(Field::new(&self.name, data_type, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let (mut scores, constant) = self.scores(&args.args, args.number_rows)?;
        let rows = if constant { 1 } else { args.number_rows };
        let last = |at: usize| {
            let later = &self.members[at + 1..];
            later.iter().all(|m| m.scoring != self.members[at].scoring)
        };
        let mut present = |(at, member): (usize, &Member)| {
            let scores = match last(at) {
                true => std::mem::take(&mut scores[member.scoring]),
                false => scores[member.scoring].clone(),
            };
            member.model.present(member.output, scores, rows)
        };
        let members = self.members.iter().enumerate();
        let columns: Result<Vec<ArrayRef>, ScoreError> = members.map(&mut present).collect();
        let columns = columns.map_err(external)?;
        let result = StructArray::try_new(self.fields.clone(), columns, None)?;
        debug_assert_eq!(result.len(), rows);
        answer(Arc::new(result), constant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::predict_udf;
    use crate::predict::testing::{self, run};
    use crate::score::forest::Forest;
    use crate::score::forest::objective::Objective;
    use crate::score::forest::tree::{Missing, Node, Split, Tree};
    use arrow::array::Float64Array;
    use datafusion_common::ScalarValue;

    /// A stump on each of the features, which adds `step` to the right.
    fn model(name: &str, features: usize, step: f64) -> Arc<PinnedModel> {
        let stump = |feature: usize| Tree {
            nodes: vec![Node {
                split: Split::numeric(feature as f64, Missing::NaN, feature.is_multiple_of(2)),
                feature: feature as u32,
                left: !0,
                right: !1,
            }],
            leaves: vec![-step, step],
            ..Tree::default()
        };
        let inputs = (0..features).map(|f| Feature::numeric(format!("f{f}")));
        let trees = (0..features).map(stump).collect();
        let forest = Forest::new(inputs.collect(), trees, 1, Objective::Sigmoid(1.0), false);
        testing::model(name, forest)
    }

    fn call(model: &Arc<PinnedModel>, output: Output, name: &str) -> Predict {
        let function = predict_udf(model, output, name).unwrap();
        Predict::of(&function).unwrap().clone()
    }

    fn columns(count: usize, rows: usize) -> Vec<ColumnarValue> {
        let value = |column: usize, row: usize| {
            let value = (row * 7 + column * 3) % 11;
            (value != 5).then_some(value as f64 - 3.0)
        };
        let column = |column| {
            let values = (0..rows).map(|row| value(column, row));
            ColumnarValue::Array(Arc::new(values.collect::<Float64Array>()) as ArrayRef)
        };
        (0..count).map(column).collect()
    }

    /// Every call's field is what the call alone gives; for few rows, for so many that trees are joined, for constants.
    #[test]
    fn fields_are_the_calls() {
        let (first, second) = (model("a", 3, 0.3), model("b", 4, 0.7));
        let calls = [
            (call(&first, Output::Predict, "predict a"), vec![0, 1, 2]),
            (call(&first, Output::ProbaOf(1), "proba a"), vec![0, 1, 2]),
            (call(&second, Output::Raw, "raw b"), vec![2, 1, 3, 0]),
            (call(&first, Output::Raw, "raw a"), vec![1, 0, 3]),
            // The same function of other arguments.
            (call(&first, Output::Raw, "raw a"), vec![0, 1, 3]),
        ];
        let company = together(&calls).unwrap();
        assert_eq!(company.calls, [0, 1, 2, 3, 4]);
        let made: &Together = company.function.inner().downcast_ref().unwrap();
        assert_eq!(made.scorings.len(), 4);
        let constant = ColumnarValue::Scalar(ScalarValue::Float64(Some(2.5)));
        let mut mixed = columns(4, 40);
        mixed[1] = constant.clone();
        let alone_constant = [vec![constant.clone(); 3], columns(1, 9)].concat();
        for (args, rows) in [
            (columns(4, 1), 1),
            (columns(4, 300), 300),
            (columns(4, 5000), 5000),
            (mixed, 40),
            (alone_constant, 9),
            (vec![constant; 4], 100),
            (columns(4, 0), 0),
        ] {
            let together = run(made, args.clone(), rows).into_array(rows).unwrap();
            let together = together.as_any().downcast_ref::<StructArray>().unwrap();
            for (at, (call, places)) in calls.iter().enumerate() {
                let own = places.iter().map(|at| args[*at].clone()).collect();
                let alone = run(call, own, rows).into_array(rows).unwrap();
                assert_eq!(together.column(at), &alone, "{} of {rows} rows", call.name);
            }
        }
        assert!(
            made.shared.as_ref().unwrap().joined.pays(2),
            "joined by now"
        );
    }

    #[test]
    fn only_what_is_in_common() {
        let (first, second) = (model("a", 2, 0.3), model("b", 2, 0.7));
        let of = |model, arguments: [usize; 2]| {
            (call(model, Output::Predict, "predict"), arguments.to_vec())
        };
        assert!(together(&[of(&first, [0, 1]), of(&second, [2, 3])]).is_none());
        let calls = [
            of(&first, [0, 1]),
            of(&second, [2, 3]),
            of(&first, [4, 5]),
            of(&second, [5, 6]),
        ];
        assert_eq!(together(&calls).unwrap().calls, [2, 3]);
    }
}
