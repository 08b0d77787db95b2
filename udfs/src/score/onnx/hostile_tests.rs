//! Files that are damaged, made to harm, or hold what is not covered: each gives an error that says so, or a model
//! that scores and ends.

use super::constant::element;
use super::golden::{cases, file};
use super::model::OnnxModel;
use super::proto::{self, Attribute, Model, Node, Tensor};
use crate::error::ScoreError;
use crate::score::features::{Column, Features};
use crate::score::{LOADERS, Scorer, Scratch, load};
use prost::Message;

/// A small generator of pseudo-random numbers (xorshift), so that failures can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

fn model(case: &str) -> Model {
    proto::decode(&file(&format!("{case}.onnx"))).unwrap()
}

fn read(model: &Model) -> Result<OnnxModel, ScoreError> {
    OnnxModel::of(model.graph.as_ref().unwrap())
}

/// Scores two rows in every way.
fn score(scorer: &dyn Scorer) {
    let columns = vec![Column::Constant(1.5); scorer.features().len()];
    let features = Features::new(columns, 2).unwrap();
    let mut out = vec![0.0; 2 * scorer.outputs()];
    scorer
        .score(&features, &mut Scratch::default(), &mut out)
        .unwrap();
    scorer.classes(&out);
    scorer.transform(&mut out);
}

/// Changes one number or word of an operator.
fn disturb(model: &mut Model, random: &mut Random) {
    let nodes = &mut model.graph.as_mut().unwrap().nodes;
    let node = random.below(nodes.len());
    let attributes = &mut nodes[node].attributes;
    if attributes.is_empty() {
        return;
    }
    let at = random.below(attributes.len());
    let numbers = [-1, 0, 1, 2, 3, 7, 100, i64::MAX, i64::MIN, 1 << 32];
    let number = numbers[random.below(numbers.len())];
    let modes = ["LEAF", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_GT", "SUM", "L2"];
    let attribute = &mut attributes[at];
    attribute.i = number;
    if !attribute.ints.is_empty() {
        let at = random.below(attribute.ints.len());
        attribute.ints[at] = number;
    }
    if !attribute.floats.is_empty() {
        let at = random.below(attribute.floats.len());
        attribute.floats[at] = f32::from_bits(number as u32);
    }
    if !attribute.strings.is_empty() {
        let at = random.below(attribute.strings.len());
        attribute.strings[at] = modes[random.below(modes.len())].as_bytes().to_vec();
    }
}

#[test]
fn random_damage() {
    let mut random = Random(42);
    let (mut loaded, mut refused) = (0, 0);
    for case in cases() {
        let good = file(&format!("{case}.onnx"));
        for round in 0..60 {
            let mut bytes = good.clone();
            match round % 6 {
                0 => bytes.truncate(random.below(good.len())),
                1 | 2 => {
                    for _ in 0..=random.below(3) {
                        bytes[random.below(good.len())] = random.below(256) as u8;
                    }
                }
                _ => {
                    let mut model = model(&case);
                    disturb(&mut model, &mut random);
                    bytes = model.encode_to_vec();
                }
            }
            match load(&bytes) {
                Err(_) => refused += 1,
                Ok((_, scorer)) => {
                    loaded += 1;
                    score(scorer.as_ref());
                }
            }
        }
    }
    assert!(
        loaded > 500 && refused > 500,
        "{loaded} loaded, {refused} refused"
    );
}

/// What a scorer's walk relies on, for trees of every origin.
#[test]
fn trees_have_the_shape_of_trees() {
    for case in cases() {
        let model = read(&model(&case)).unwrap();
        let width = model.features().len() as u32;
        for tree in model.forest.trees() {
            tree.check_shape().unwrap();
            assert!(tree.nodes.iter().all(|n| n.feature < width), "{case}");
        }
        assert!(model.forest.trees().len().is_multiple_of(model.outputs()));
    }
}

#[test]
fn one_loader_takes_a_file() {
    for case in cases() {
        let bytes = file(&format!("{case}.onnx"));
        let kinds = LOADERS.iter().filter(|l| (l.detect)(&bytes));
        assert_eq!(
            kinds.map(|l| l.kind).collect::<Vec<_>>(),
            ["onnx"],
            "{case}"
        );
    }
    let lightgbm = file("../regression.txt");
    let kinds = LOADERS.iter().filter(|l| (l.detect)(&lightgbm));
    assert_eq!(kinds.map(|l| l.kind).collect::<Vec<_>>(), ["lightgbm"]);
}

/// The file with its trees' operator changed.
fn changed(case: &str, change: impl Fn(&mut Node)) -> Result<OnnxModel, ScoreError> {
    let mut model = model(case);
    let nodes = &mut model.graph.as_mut().unwrap().nodes;
    let trees = nodes.iter_mut().find(|n| n.op_type.starts_with("Tree"));
    change(trees.unwrap());
    read(&model)
}

fn attribute<'n>(node: &'n mut Node, name: &str) -> &'n mut Attribute {
    let found = node.attributes.iter_mut().find(|a| a.name == name);
    found.unwrap_or_else(|| panic!("{name}"))
}

/// Every index of a walk and every length is checked when the file is read.
#[test]
fn each_check_refuses() {
    type Change = fn(&mut Node);
    let all: &[(&str, Change)] = &[
        ("reached twice or a cycle", |n| {
            attribute(n, "nodes_truenodeids").ints[1] = 0
        }),
        ("a node that is not there", |n| {
            attribute(n, "nodes_truenodeids").ints[0] = 999
        }),
        ("a node twice", |n| {
            attribute(n, "nodes_nodeids").ints[1] = 0
        }),
        ("a negative node", |n| {
            attribute(n, "nodes_falsenodeids").ints[0] = -1
        }),
        ("feature out of range", |n| {
            attribute(n, "nodes_featureids").ints[0] = 4
        }),
        ("negative feature", |n| {
            attribute(n, "nodes_featureids").ints[0] = -1
        }),
        ("threshold", |n| {
            attribute(n, "nodes_values").floats[0] = f32::NAN
        }),
        ("short list", |n| {
            attribute(n, "nodes_values").floats.truncate(1)
        }),
        ("short list", |n| {
            attribute(n, "nodes_modes").strings.truncate(1)
        }),
        ("short list", |n| {
            attribute(n, "target_weights").floats.truncate(1)
        }),
        ("short list", |n| {
            attribute(n, "target_ids").ints.truncate(1)
        }),
        ("target", |n| attribute(n, "target_ids").ints[0] = 1),
        ("target", |n| attribute(n, "target_ids").ints[0] = -1),
        ("weight", |n| {
            attribute(n, "target_weights").floats[0] = f32::INFINITY
        }),
        ("weight of no node", |n| {
            attribute(n, "target_nodeids").ints[0] = 999
        }),
        ("no targets", |n| attribute(n, "n_targets").i = 0),
        ("negative targets", |n| attribute(n, "n_targets").i = -1),
        ("tree in two parts", |n| {
            let trees = &mut attribute(n, "nodes_treeids").ints;
            let last = trees.len() - 1;
            trees[last] = trees[0];
            attribute(n, "nodes_nodeids").ints[last] = 99;
        }),
        ("no trees", |n| {
            n.attributes.retain(|a| !a.name.starts_with("nodes_"))
        }),
    ];
    changed("sklearn_random_forest", |_| {}).unwrap();
    for (what, change) in all {
        let error = changed("sklearn_random_forest", change).unwrap_err();
        assert!(matches!(error, ScoreError::BadModel(_)), "{what}: {error}");
    }
}

fn graph(model: &mut Model) -> &mut proto::Graph {
    model.graph.as_mut().unwrap()
}

fn first(model: &mut Model) -> &mut Node {
    &mut graph(model).nodes[0]
}

fn input(model: &mut Model) -> &mut proto::TensorType {
    let value_type = graph(model).inputs[0].value_type.as_mut().unwrap();
    value_type.tensor.as_mut().unwrap()
}

/// Part of the error, case, and what is changed in it.
type NotCovered = (&'static str, &'static str, fn(&mut Model));

const NOT_COVERED: &[NotCovered] = &[
    (
        "a scale of a feature that is not positive",
        "sklearn_scaler",
        |m| attribute(first(m), "scale").floats[0] = -1.0,
    ),
    ("operator Imputer in this place", "sklearn_imputer", |m| {
        attribute(first(m), "replaced_value_float").f = 0.0
    }),
    ("operator Binarizer", "sklearn_random_forest", |m| {
        first(m).op_type = "Binarizer".into()
    }),
    ("operator Conv", "lightgbm_poisson", |m| {
        graph(m).nodes[1].op_type = "Conv".into()
    }),
    ("operator my.own.Exp", "lightgbm_poisson", |m| {
        graph(m).nodes[1].domain = "my.own".into();
    }),
    ("operator Exp in this place", "lightgbm_binary", |m| {
        let node = Node {
            inputs: vec!["x".into()],
            outputs: vec!["more".into()],
            op_type: "Exp".into(),
            ..Node::default()
        };
        graph(m).nodes.push(node);
    }),
    ("aggregate_function \"MAX\"", "own_average", |m| {
        attribute(first(m), "aggregate_function").s = b"MAX".to_vec();
    }),
    ("post_transform \"CUBE\"", "own_probit", |m| {
        attribute(first(m), "post_transform").s = b"CUBE".to_vec();
    }),
    ("node mode \"BRANCH_SIN\"", "own_average", |m| {
        attribute(first(m), "nodes_modes").strings[0] = b"BRANCH_SIN".to_vec();
    }),
    ("more than 10000 targets", "sklearn_random_forest", |m| {
        attribute(first(m), "n_targets").i = i64::MAX;
    }),
    ("2 numbers per row", "sklearn_random_forest", |m| {
        attribute(first(m), "n_targets").i = 2;
    }),
    ("text input \"x\"", "sklearn_random_forest", |m| {
        input(m).element = element::STRING as i32
    }),
    ("element type 10", "sklearn_random_forest", |m| {
        input(m).element = 10
    }),
    ("of 1 dimensions", "sklearn_random_forest", |m| {
        input(m).shape.as_mut().unwrap().dims.truncate(1);
    }),
    ("more than 100000 features", "sklearn_random_forest", |m| {
        input(m).shape.as_mut().unwrap().dims[1].length = Some(i64::MAX);
    }),
    ("more than 100000 features", "sklearn_tree", |m| {
        attribute(first(m), "nodes_featureids").ints[0] = i64::from(u32::MAX);
    }),
    ("a single class", "class_base_none", |m| {
        attribute(first(m), "classlabels_int64s").ints.truncate(1);
    }),
    ("two base_values", "class_base_none", |m| {
        attribute(first(m), "base_values").floats.push(0.0);
    }),
    ("output \"x\"", "own_average", |m| {
        graph(m).outputs[0].name = "x".into()
    }),
];

/// What is no damage but not covered is refused with its name.
#[test]
fn what_is_not_covered_is_named() {
    for (text, case, change) in NOT_COVERED {
        let mut model = model(case);
        change(&mut model);
        match read(&model).unwrap_err() {
            ScoreError::Unsupported(error) => assert!(error.contains(text), "{text}: {error}"),
            error => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn numbers_of_scalers() {
    for change in [
        |n: &mut Node| attribute(n, "offset").floats.truncate(2),
        |n: &mut Node| attribute(n, "scale").floats.truncate(3),
        |n: &mut Node| attribute(n, "offset").floats[1] = f32::NAN,
    ] {
        let mut model = model("sklearn_scaler");
        change(first(&mut model));
        assert!(matches!(read(&model), Err(ScoreError::BadModel(_))));
    }
}

#[test]
fn values_elsewhere_and_arrays_that_lie() {
    let tensor = Tensor {
        name: "t".into(),
        data_type: element::INT64 as i32,
        dims: vec![2],
        int64_data: vec![1, 2],
        ..Tensor::default()
    };
    let with = |tensor: Tensor| {
        let mut model = model("own_average");
        model.graph.as_mut().unwrap().initializers.push(tensor);
        read(&model)
    };
    with(tensor.clone()).unwrap();
    let elsewhere = Tensor {
        data_location: 1,
        ..tensor.clone()
    };
    let lying = Tensor {
        dims: vec![i64::MAX, i64::MAX],
        ..tensor.clone()
    };
    let torn = Tensor {
        raw_data: vec![0; 15],
        ..tensor
    };
    for tensor in [elsewhere, lying, torn] {
        assert!(matches!(with(tensor), Err(ScoreError::BadModel(_))));
    }
}

/// A tree operator of nodes (mode, true, false); every leaf weighs 1.
fn trees(nodes: &[(&str, i64, i64)]) -> Model {
    let list = |name: &str, ints: Vec<i64>| Attribute {
        name: name.into(),
        ints,
        ..Attribute::default()
    };
    let leaves: Vec<i64> = (0..)
        .zip(nodes)
        .filter(|(_, n)| n.0 == "LEAF")
        .map(|(i, _)| i)
        .collect();
    let mut model = model("own_average");
    let node = &mut model.graph.as_mut().unwrap().nodes[0];
    node.attributes = vec![
        list("nodes_treeids", vec![0; nodes.len()]),
        list("nodes_nodeids", (0..nodes.len() as i64).collect()),
        list("nodes_featureids", vec![0; nodes.len()]),
        list("nodes_truenodeids", nodes.iter().map(|n| n.1).collect()),
        list("nodes_falsenodeids", nodes.iter().map(|n| n.2).collect()),
        list("target_treeids", vec![0; leaves.len()]),
        list("target_ids", vec![0; leaves.len()]),
        Attribute {
            name: "nodes_modes".into(),
            strings: nodes.iter().map(|n| n.0.as_bytes().to_vec()).collect(),
            ..Attribute::default()
        },
        Attribute {
            name: "nodes_values".into(),
            floats: (0..nodes.len()).map(|v| v as f32 + 0.5).collect(),
            ..Attribute::default()
        },
        Attribute {
            name: "target_weights".into(),
            floats: vec![1.0; leaves.len()],
            ..Attribute::default()
        },
        list("target_nodeids", leaves),
        Attribute {
            name: "n_targets".into(),
            i: 1,
            ..Attribute::default()
        },
    ];
    model
}

/// Nothing recurs over a tree: a chain of many nodes ends neither the stack nor the patience.
#[test]
fn depth() {
    let depth = 100_000;
    let mut nodes: Vec<(&str, i64, i64)> = (0..depth)
        .map(|k| ("BRANCH_LEQ", depth + k, k + 1))
        .collect();
    nodes.last_mut().unwrap().2 = 2 * depth;
    nodes.extend((0..=depth).map(|_| ("LEAF", 0, 0)));
    let bytes = trees(&nodes).encode_to_vec();
    let (_, scorer) = load(&bytes).unwrap();
    assert!(scorer.memory_bytes() < 8 * bytes.len());
    score(scorer.as_ref());
}

/// Nodes that share everything below them would double at every level.
#[test]
fn sharing_is_limited() {
    for mode in ["BRANCH_LEQ", "BRANCH_EQ"] {
        let mut nodes: Vec<(&str, i64, i64)> = (0..60).map(|k| (mode, k + 1, k + 1)).collect();
        nodes.push(("LEAF", 0, 0));
        let error = read(&trees(&nodes)).unwrap_err();
        assert!(matches!(error, ScoreError::Unsupported(_)), "{error}");
    }
    // One long chain that asks the same again and again, and is entered everywhere.
    let n = 3000;
    let mut nodes: Vec<(&str, i64, i64)> = (0..n).map(|k| ("BRANCH_LEQ", n + k, k + 1)).collect();
    nodes.extend((0..n).map(|k| ("BRANCH_EQ", 2 * n, n + k + 1)));
    nodes.push(("LEAF", 0, 0));
    let mut chain = trees(&nodes);
    let values = attribute(&mut chain.graph.as_mut().unwrap().nodes[0], "nodes_values");
    values.floats.fill(0.5);
    let error = read(&chain).unwrap_err();
    assert!(matches!(error, ScoreError::Unsupported(_)), "{error}");
    // A ring further down.
    let ring = [
        ("BRANCH_LEQ", 1, 3),
        ("BRANCH_LEQ", 2, 3),
        ("BRANCH_LEQ", 1, 3),
        ("LEAF", 0, 0),
    ];
    let error = read(&trees(&ring)).unwrap_err();
    assert!(error.to_string().contains("leads back"), "{error}");
}

/// One target of many with many trees would need as many for each.
#[test]
fn trees_are_not_padded_without_limit() {
    let mut model = trees(&[("LEAF", 0, 0)]);
    let node = &mut model.graph.as_mut().unwrap().nodes[0];
    attribute(node, "n_targets").i = 10_000;
    let count = 5000;
    let zero = vec![0; count];
    for name in [
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_truenodeids",
        "nodes_falsenodeids",
    ] {
        attribute(node, name).ints.clone_from(&zero);
    }
    for name in ["target_nodeids", "target_ids"] {
        attribute(node, name).ints.clone_from(&zero);
    }
    for name in ["nodes_treeids", "target_treeids"] {
        attribute(node, name).ints = (0..count as i64).collect();
    }
    attribute(node, "nodes_modes").strings = vec![b"LEAF".to_vec(); count];
    attribute(node, "nodes_values").floats = vec![0.0; count];
    attribute(node, "target_weights").floats = vec![1.0; count];
    // As a classifier, for a regressor of many targets is refused before.
    node.op_type = "TreeEnsembleClassifier".into();
    for a in &mut node.attributes {
        a.name = a.name.replace("target_", "class_");
    }
    node.attributes.push(Attribute {
        name: "classlabels_int64s".into(),
        ints: (0..10_000).collect(),
        ..Attribute::default()
    });
    node.outputs = vec!["l".into(), "p".into()];
    model.graph.as_mut().unwrap().outputs[0].name = "p".into();
    let error = read(&model).unwrap_err().to_string();
    assert!(error.contains("unevenly"), "{error}");
}
