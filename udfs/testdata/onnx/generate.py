"""Writes the golden ONNX models of this folder and what ONNX Runtime 1.32 makes of them.

Run it in a Python that has onnx 1.23, onnxruntime 1.32, skl2onnx 1.20, onnxmltools 1.16, lightgbm 4.7, xgboost 3.2,
catboost 1.2 and scikit-learn 1.9: `python generate.py`. For each case NAME:
  NAME.onnx  the model
  NAME.csv   a line of column names, then per row: the inputs by the model's names, then `label` of a classifier,
             then its probabilities `p0`, `p1` …, or the number `value`.
Some rows lie next to thresholds, where only rounding to float tells the side. An empty field is missing.
"""
import os
import warnings

import catboost
import lightgbm as lgb
import numpy as np
import onnx
import onnx.helper as oh
import onnxmltools
import onnxruntime as ort
import pandas as pd
import xgboost as xgb
from onnxmltools.convert.common.data_types import FloatTensorType as OtherFloat
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (ExtraTreesClassifier, ExtraTreesRegressor, GradientBoostingClassifier,
                              GradientBoostingRegressor, HistGradientBoostingClassifier,
                              HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(3)
HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, WRITTEN, WIDTH = 400, 16, 4
FLOAT, INT64, STRING, DOUBLE = 1, 7, 8, 11
ML = "ai.onnx.ml"

# skl2onnx hands numbers of NumPy to onnx, which takes Python's only.
make_attribute = oh.make_attribute


def plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        value = [v.item() if isinstance(v, np.generic) else v for v in value]
        return [int(v) if isinstance(v, bool) else v for v in value]
    return value


oh.make_attribute = lambda key, value, *rest, **named: make_attribute(key, plain(value), *rest, **named)


def text(value):
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else repr(float(value))


def thresholds(model):
    """Pairs of a feature and a number it is compared with."""
    for node in model.graph.node:
        a = {x.name: oh.get_attribute_value(x) for x in node.attribute}
        values = a.get("nodes_values") or []
        if "nodes_values_as_tensor" in a:
            values = onnx.numpy_helper.to_array(a["nodes_values_as_tensor"]).tolist()
        for feature, mode, value in zip(a.get("nodes_featureids", []), a.get("nodes_modes", []), values):
            if mode in (b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GT", b"BRANCH_GTE"):
                yield feature, value


def near_thresholds(model, x):
    """Rows with one value next to a threshold each, as close as a double gets and a float does not."""
    rows = []
    found = sorted(set(thresholds(model)))
    for k in range(0, len(found), max(1, len(found) // 8)):
        feature, value = found[k]
        if feature < x.shape[1] and len(rows) < 8:
            row = x[k % len(x)].copy()
            row[feature] = value * (1 + [1e-9, -1e-9, 0, 1e-7][k % 4])
            rows.append(row)
    return np.array(rows).reshape(-1, x.shape[1])


def write(name, model, x, near=True, names=None, types=None):
    """Scores some rows; `types` are NumPy's of inputs that are single columns."""
    if not isinstance(model, onnx.ModelProto):
        model = onnx.load_from_string(model.SerializeToString())
    model.doc_string = ""
    del model.metadata_props[:]
    model.graph.name = name
    imports = sorted(model.opset_import, key=lambda o: o.domain)
    del model.opset_import[:]
    model.opset_import.extend(imports)
    x = np.asarray(x, dtype=np.float64)[:WRITTEN]
    if near:
        x = np.concatenate([x, near_thresholds(model, x)])
    session = ort.InferenceSession(model.SerializeToString())
    inputs = session.get_inputs()
    if types:
        feeds = {i.name: x[:, k:k + 1].astype(t) for k, (i, t) in enumerate(zip(inputs, types))}
        names = [i.name for i in inputs]
    else:
        kind = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
        feeds = {inputs[0].name: x.astype(kind[inputs[0].type])}
        names = names or [f"f{k}" for k in range(x.shape[1])]
    labels, columns = None, []
    for result in session.run(None, feeds):
        if isinstance(result, list):
            columns += [[row[key] for row in result] for key in result[0]]
        elif result.dtype in (np.int64, object):
            labels = result.ravel().tolist()
        else:
            columns += list(result.reshape(len(x), -1).T)
    head = list(names) + (["value"] if labels is None else ["label"] + [f"p{k}" for k in range(len(columns))])
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    with open(os.path.join(HERE, name + ".csv"), "w", newline="\n") as f:
        f.write(",".join(head) + "\n")
        for at, given in enumerate(x):
            label = [] if labels is None else [str(labels[at])]
            f.write(",".join([text(v) for v in given] + label + [text(c[at]) for c in columns]) + "\n")


RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, WIDTH))
Y = X[:, 0] * 2 - np.abs(X[:, 1]) + X[:, 2] * X[:, 3] + RNG.normal(size=ROWS) * 0.5
BINARY = (Y > 0).astype(int)
MULTI = np.digitize(Y, [-1.5, 1.0])
TEXTS = np.array(["low", "mid", "high"])[MULTI]
YES = np.array(["no", "yes"])[BINARY]
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)


def sklearn():
    def put(name, model, y, x=X, kind=FloatTensorType, width=WIDTH, probe=None, near=True, **options):
        done = convert_sklearn(model.fit(x, y), initial_types=[("x", kind([None, width]))], **options)
        for output in done.graph.output:
            # skl2onnx declares doubles where the operator gives floats.
            if output.type.tensor_type.elem_type == DOUBLE:
                output.type.tensor_type.elem_type = FLOAT
        write("sklearn_" + name, done, x if probe is None else probe, near)

    few = dict(n_estimators=8, max_depth=3, random_state=1)
    put("random_forest", RandomForestRegressor(**few), Y)
    put("random_forest_binary", RandomForestClassifier(n_estimators=10, max_depth=4, max_leaf_nodes=8,
                                                       random_state=1), BINARY)
    # Leaves of one class each: votes, of which half may be for either class.
    put("random_forest_votes", RandomForestClassifier(n_estimators=10, random_state=2, max_features=1),
        BINARY[:60], X[:60], probe=X[100:])
    put("random_forest_multiclass", RandomForestClassifier(**few), TEXTS)
    put("random_forest_columns", RandomForestClassifier(n_estimators=3, max_depth=3, random_state=1), TEXTS,
        options={"zipmap": "columns"})
    put("random_forest_tensor", RandomForestClassifier(n_estimators=3, max_depth=3, random_state=1), YES,
        options={"zipmap": False})
    put("random_forest_missing", RandomForestClassifier(**few), BINARY, GAPS)
    put("gradient_boosting", GradientBoostingRegressor(n_estimators=8, random_state=1), Y)
    put("gradient_boosting_binary", GradientBoostingClassifier(n_estimators=8, random_state=1), BINARY)
    put("gradient_boosting_multiclass", GradientBoostingClassifier(n_estimators=4, random_state=1), MULTI)
    hist = dict(max_iter=6, max_leaf_nodes=8, random_state=1)
    put("hist", HistGradientBoostingRegressor(**hist), Y, GAPS)
    put("hist_binary", HistGradientBoostingClassifier(**hist), BINARY, GAPS)
    put("hist_multiclass", HistGradientBoostingClassifier(**hist), TEXTS, GAPS)
    put("hist_double", HistGradientBoostingClassifier(**hist), TEXTS, GAPS, kind=DoubleTensorType,
        options={"zipmap": False})
    put("tree", DecisionTreeRegressor(max_depth=4, random_state=1), Y, width=None)
    put("tree_multiclass", DecisionTreeClassifier(max_depth=4, random_state=1), TEXTS)
    put("extra_trees", ExtraTreesRegressor(**few), Y)
    put("extra_trees_multiclass", ExtraTreesClassifier(**few), MULTI)
    put("double", RandomForestClassifier(**few), TEXTS, kind=DoubleTensorType, options={"zipmap": False})
    whole = np.round(X * 5)
    put("int64", RandomForestRegressor(**few), Y, whole, kind=Int64TensorType, near=False)
    put("scaler", make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=8, random_state=1)), Y)
    put("scaler_int64", make_pipeline(StandardScaler(), RandomForestRegressor(**few)), Y, whole, kind=Int64TensorType,
        near=False)
    put("scaler_double", make_pipeline(StandardScaler(), RandomForestClassifier(**few)), TEXTS, kind=DoubleTensorType,
        options={"zipmap": False})
    put("imputer", make_pipeline(SimpleImputer(), MinMaxScaler(), RandomForestClassifier(**few)), BINARY, GAPS)
    put("robust", make_pipeline(RobustScaler(), MaxAbsScaler(), DecisionTreeRegressor(max_depth=4, random_state=1)), Y)
    frame = pd.DataFrame(whole, columns=["a", "b", "c", "d"])
    picked = ColumnTransformer([("some", "passthrough", ["d", "a"]), ("more", "passthrough", ["c"])])
    pipeline = make_pipeline(picked, RandomForestRegressor(**few)).fit(frame, Y)
    done = convert_sklearn(pipeline, initial_types=[(c, FloatTensorType([None, 1])) for c in "abcd"])
    write("sklearn_pipeline", done, whole, near=False, types=[np.float32] * 4)
    gaps = np.where(np.isnan(GAPS), np.nan, whole)
    frame = pd.DataFrame(gaps, columns=["a", "b", "c", "d"])
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    picked = ColumnTransformer([("some", filled, ["d", "a"]), ("more", "passthrough", ["c"])])
    pipeline = make_pipeline(picked, RandomForestClassifier(**few)).fit(frame.fillna({"c": 0}), YES)
    done = convert_sklearn(pipeline, initial_types=[(c, FloatTensorType([None, 1])) for c in "abcd"])
    write("sklearn_transformer", done, gaps, near=False, types=[np.float32] * 4)


def lightgbm():
    def put(name, model, x=X, probe=None, **options):
        done = onnxmltools.convert_lightgbm(model, initial_types=[("x", OtherFloat([None, WIDTH]))], **options)
        write("lightgbm_" + name, done, x if probe is None else probe)

    few = dict(n_estimators=6, num_leaves=6, min_child_samples=5, verbose=-1, deterministic=True, n_jobs=1)
    put("regression", lgb.LGBMRegressor(**few).fit(X, Y))
    put("missing", lgb.LGBMRegressor(**few).fit(GAPS, Y), GAPS)
    put("poisson", lgb.LGBMRegressor(objective="poisson", **few).fit(X, np.exp(Y / 4)))
    put("binary", lgb.LGBMClassifier(**few).fit(X, BINARY))
    put("binary_text", lgb.LGBMClassifier(**few).fit(GAPS, YES), GAPS)
    put("binary_tensor", lgb.LGBMClassifier(**few).fit(X, BINARY), zipmap=False)
    put("multiclass", lgb.LGBMClassifier(**few).fit(X, TEXTS))
    put("booster", lgb.LGBMClassifier(**few).fit(X, MULTI).booster_)
    put("rf", lgb.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, **few).fit(X, BINARY))
    put("split", lgb.LGBMRegressor(**few).fit(X, Y), split=2)
    x = X.copy()
    x[:, 3] = RNG.integers(0, 70, ROWS)
    shape = dict(min_data_per_group=2, cat_smooth=1, max_cat_to_onehot=1)
    model = lgb.LGBMRegressor(**few, **shape).fit(x, Y + np.sin(x[:, 3] * 3) * 3, categorical_feature=[3])
    x[:3, 3] = [np.nan, 1000, -3]
    put("categories", model, x)


def xgboost():
    def put(name, model, x=X):
        done = onnxmltools.convert_xgboost(model, initial_types=[("x", OtherFloat([None, WIDTH]))])
        write("xgboost_" + name, done, x)

    few = dict(n_estimators=6, max_depth=3)
    put("regression", xgb.XGBRegressor(**few).fit(GAPS, Y), GAPS)
    put("poisson", xgb.XGBRegressor(objective="count:poisson", **few).fit(X, np.exp(Y / 4)))
    put("binary", xgb.XGBClassifier(**few).fit(GAPS, BINARY), GAPS)
    put("multiclass", xgb.XGBClassifier(**few).fit(X, MULTI))
    put("rf", xgb.XGBRFClassifier(**few).fit(X, BINARY))


def cat():
    def put(name, model, x=X):
        path = os.path.join(HERE, "catboost_" + name + ".onnx")
        model.save_model(path, format="onnx")
        write("catboost_" + name, onnx.load(path), x)

    few = dict(iterations=5, depth=3, verbose=0, allow_writing_files=False, thread_count=1, random_seed=1)
    put("regression", catboost.CatBoostRegressor(**few).fit(GAPS, Y), GAPS)
    put("binary", catboost.CatBoostClassifier(**few).fit(X, BINARY))
    put("binary_text", catboost.CatBoostClassifier(**few).fit(X, YES))
    put("multiclass", catboost.CatBoostClassifier(**few).fit(X, TEXTS))


def made(nodes, width, outputs, element=FLOAT, constants=(), ml=3):
    given = [oh.make_tensor_value_info("x", element, [None, width])]
    shown = [oh.make_tensor_value_info(n, t, None) for n, t in outputs]
    graph = oh.make_graph(nodes, "g", given, shown, list(constants))
    return oh.make_model(graph, ir_version=8, opset_imports=[oh.make_opsetid(ML, ml), oh.make_opsetid("", 15)])


def trees(op, nodes, weights, outputs, kind, given="x", **attributes):
    """Nodes are (tree, node, mode, feature, value, true, false, missing), weights (tree, node, id, weight)."""
    lists = dict(zip(["treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids",
                      "missing_value_tracks_true"], map(list, zip(*nodes))))
    lists = {"nodes_" + k: v for k, v in lists.items()}
    lists |= {f"{kind}_{k}": list(v) for k, v in zip(["treeids", "nodeids", "ids", "weights"], zip(*weights))}
    return oh.make_node(op, [given], outputs, domain=ML, **lists, **attributes)


def leaf(tree, node):
    return (tree, node, "LEAF", 0, 0.0, 0, 0, 0)


def stumps(modes, tracks):
    nodes, weights = [], []
    for tree, (mode, feature, value) in enumerate(modes):
        nodes += [(tree, 0, mode, feature, value, 1, 2, tracks), leaf(tree, 1), leaf(tree, 2)]
        weights += [(tree, 1, 0, 2.0 ** tree), (tree, 2, 0, 0.0)]
    return nodes, weights


def own_modes():
    """Every mode with either side for missing values: a sum of powers of 2 shows each stump's side."""
    modes = [("BRANCH_" + m, f, v) for m in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
             for f, v in ((0, 0.5), (1, 0.1), (1, -3.0))]
    probe = [[0.5, 0.1], [0.5 + 1e-10, np.float32(0.1)], [0.5 - 1e-10, 0.1 - 1e-9], [np.nan, np.nan], [7, -3],
             [-7, -3 - 1e-9], [np.inf, -np.inf], [0.5 + 3e-8, 0.1 + 4e-9], [0.5 - 3e-8, 0.1 - 4e-9], [0, 1e300]]
    for tracks in (0, 1):
        nodes, weights = stumps(modes, tracks)
        node = trees("TreeEnsembleRegressor", nodes, weights, ["y"], "target", n_targets=1)
        write(f"own_modes_{tracks}", made([node], 2, [("y", FLOAT)]), probe, near=False)
    # The thresholds as doubles, compared without rounding.
    nodes, weights = stumps(modes, 0)
    node = trees("TreeEnsembleRegressor", nodes, weights, ["y"], "target", n_targets=1)
    kept = [a for a in node.attribute if a.name not in ("nodes_values", "target_weights")]
    del node.attribute[:]
    node.attribute.extend(kept)
    for name, values in (("nodes_values", [n[4] for n in nodes]), ("target_weights", [w[3] for w in weights])):
        tensor = oh.make_tensor(name, DOUBLE, [len(values)], values)
        node.attribute.append(oh.make_attribute(name + "_as_tensor", tensor))
    write("own_modes_double", made([node], 2, [("y", FLOAT)], DOUBLE), probe, near=False)


TWO = [(0, 0, "BRANCH_LEQ", 0, 0.0, 1, 2, 0), leaf(0, 1), leaf(0, 2),
       (1, 0, "BRANCH_LEQ", 0, 1.0, 1, 2, 0), leaf(1, 1), leaf(1, 2)]
STEPS = [[-1.0], [0.5], [2.0]]


def own_sums():
    """What is done with sums of a regressor."""
    weights = [(0, 1, 0, 0.25), (0, 2, 0, 0.5), (1, 1, 0, 0.125), (1, 2, 0, 0.375)]
    for name, more in {"average": dict(aggregate_function="AVERAGE", base_values=[3.0]),
                       "probit": dict(post_transform="PROBIT"),
                       "logistic": dict(post_transform="LOGISTIC", base_values=[0.5])}.items():
        node = trees("TreeEnsembleRegressor", TWO, weights, ["y"], "target", n_targets=1, **more)
        write("own_" + name, made([node], 1, [("y", FLOAT)]), STEPS, near=False, names=["x"])
    half = oh.make_tensor("half", FLOAT, [], [0.5])
    one = oh.make_tensor("one", FLOAT, [1], [1.0])
    node = trees("TreeEnsembleRegressor", TWO, weights, ["s"], "target", n_targets=1)
    after = [oh.make_node("Sub", ["s", "half"], ["a"]), oh.make_node("Sigmoid", ["a"], ["p"]),
             oh.make_node("Sub", ["one", "p"], ["q"]), oh.make_node("Concat", ["q", "p"], ["pq"], axis=1),
             oh.make_node("ArgMax", ["pq"], ["c"], axis=1, keepdims=0),
             oh.make_node("LabelEncoder", ["c"], ["l"], domain=ML, keys_int64s=[0, 1],
                          values_strings=["out", "in"])]
    write("own_sigmoid", made([node] + after, 1, [("l", STRING), ("pq", FLOAT)], constants=[half, one]), STEPS,
          near=False, names=["x"])


def own_classes():
    """The rules of a classifier: which weights there are, their signs, what is added, the transformation."""
    three = [(0, 1, 0, 0.5), (0, 1, 1, -0.25), (0, 1, 2, 0.0), (0, 2, 0, 0.1), (0, 2, 1, 0.7), (0, 2, 2, 0.2),
             (1, 1, 2, 0.3), (1, 2, 2, 1.5)]
    cases = {}
    for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        for sign, low in (("positive", 0.3), ("mixed", -0.3)):
            cases[f"first_{sign}_{post}"] = ([(0, 1, 0, low), (0, 2, 0, 0.1), (1, 1, 0, 0.1), (1, 2, 0, 0.6)],
                                             dict(classlabels_int64s=[5, 6]))
            cases[f"second_{sign}_{post}"] = ([(0, 1, 1, low), (0, 2, 1, 0.1), (1, 1, 1, 0.1), (1, 2, 1, 0.6)],
                                              dict(classlabels_strings=["a", "b"]))
            both = [(0, 1, 0, 0.2), (0, 2, 0, 0.4), (0, 1, 1, low), (0, 2, 1, 0.1), (1, 1, 1, 0.1), (1, 2, 1, 0.6)]
            cases[f"both_{sign}_{post}"] = (both, dict(classlabels_strings=["a", "b"]))
        cases[f"three_{post}"] = (three, dict(classlabels_strings=["a", "b", "c"]))
        cases[f"three_base_{post}"] = (three[:5], dict(classlabels_int64s=[7, 8, 9], base_values=[0.0, 0.5, 0.1]))
    cases["base_LOGISTIC"] = (cases["first_mixed_LOGISTIC"][0], dict(classlabels_int64s=[0, 1], base_values=[-0.3]))
    cases["base_NONE"] = (cases["first_positive_NONE"][0], dict(classlabels_int64s=[0, 1], base_values=[0.05]))
    cases["both_base_SOFTMAX"] = (cases["both_mixed_SOFTMAX"][0],
                                  dict(classlabels_strings=["a", "b"], base_values=[0.2]))
    for name, (weights, more) in cases.items():
        post = next(p for p in ("SOFTMAX_ZERO", "SOFTMAX", "LOGISTIC", "NONE") if name.endswith(p))
        labels = STRING if "classlabels_strings" in more else INT64
        node = trees("TreeEnsembleClassifier", TWO, weights, ["l", "p"], "class", post_transform=post, **more)
        write("class_" + name.lower(), made([node], 1, [("l", labels), ("p", FLOAT)]), STEPS, near=False, names=["x"])
    node = trees("TreeEnsembleClassifier", TWO, cases["three_NONE"][0], ["l", "s"], "class",
                 classlabels_int64s=[0, 1, 2])
    for norm in ("L1", "L2", "MAX"):
        after = oh.make_node("Normalizer", ["s"], ["p"], domain=ML, norm=norm)
        write("class_normalizer_" + norm.lower(), made([node, after], 1, [("l", INT64), ("p", FLOAT)]), STEPS,
              near=False, names=["x"])


def own_shapes():
    """Shared nodes, single leaves, thousands of levels, and version 5 with sets."""
    nodes = [(0, 0, "BRANCH_EQ", 0, 0.5, 3, 1, 0), (0, 1, "BRANCH_EQ", 0, 1.5, 3, 2, 0),
             (0, 2, "BRANCH_EQ", 0, -2.0, 3, 4, 0), (0, 3, "BRANCH_LEQ", 1, 0.0, 5, 6, 0), leaf(0, 4), leaf(0, 5),
             leaf(0, 6), leaf(1, 0)]
    weights = [(0, 4, 0, 1.0), (0, 5, 0, 2.0), (0, 6, 0, 4.0), (1, 0, 0, 0.5)]
    node = trees("TreeEnsembleRegressor", nodes, weights, ["y"], "target", n_targets=1)
    probe = [[v, w] for v in (0.5, 1.5, -2.0, 1.0, 0.5 + 1e-9, 7, -9, np.nan) for w in (-1, 1)]
    write("own_shared", made([node], 2, [("y", FLOAT)]), probe, near=False)

    depth = 500
    nodes = [(0, k, "BRANCH_LEQ", 0, float(k), depth + k, k + 1 if k + 1 < depth else 2 * depth, 0)
             for k in range(depth)]
    nodes += [leaf(0, depth + k) for k in range(depth + 1)]
    weights = [(0, depth + k, 0, float(k)) for k in range(depth + 1)]
    node = trees("TreeEnsembleRegressor", nodes, weights, ["y"], "target", n_targets=1)
    write("own_deep", made([node], 1, [("y", FLOAT)]), [[-1], [0], [0.5], [250], [498.5], [499], [1e9]], near=False,
          names=["x"])

    def tensor(name, kind, values):
        return oh.make_attribute(name, oh.make_tensor(name, kind, [len(values)], values))

    for name, kind in (("five", FLOAT), ("five_double", DOUBLE)):
        node = oh.make_node("TreeEnsemble", ["x"], ["y"], domain=ML, n_targets=1, aggregate_function=1,
                            post_transform=0, tree_roots=[0, 2], nodes_featureids=[0, 1, 0],
                            nodes_truenodeids=[1, 0, 3], nodes_trueleafs=[0, 1, 1],
                            nodes_falsenodeids=[2, 1, 3], nodes_falseleafs=[1, 1, 1],
                            nodes_missing_value_tracks_true=[0, 1, 0], leaf_targetids=[0, 0, 0, 0])
        node.attribute.extend([tensor("nodes_modes", 2, [0, 6, 0]), tensor("nodes_splits", kind, [0.1, 0.0, 0.0]),
                               tensor("leaf_weights", kind, [1.0, 2.0, 4.0, 8.0]),
                               tensor("membership_values", kind, [1.0, 3.0, 40.0, float("nan")])])
        probe = [[v, w] for v in (0, 0.1, 0.2) for w in (0, 1, 2, 3, 40, 41, np.nan)]
        write("own_" + name, made([node], 2, [("y", kind)], kind, ml=5), probe, near=False)


def own_columns():
    """Operators that pick, join and name columns, before the trees and after."""
    def several(name, kinds, nodes, outputs, constants=()):
        given = [oh.make_tensor_value_info(n, k, [None, 1]) for n, k in zip("abc", kinds)]
        shown = [oh.make_tensor_value_info(n, t, None) for n, t in outputs]
        graph = oh.make_graph(nodes, "g", given, shown, list(constants))
        model = oh.make_model(graph, ir_version=8, opset_imports=[oh.make_opsetid(ML, 3), oh.make_opsetid("", 15)])
        probe = [[a, b, c] for a in (-1, 0.1, 2.5) for b in (-3, 3) for c in (0, 1, 16777217)]
        write(name, model, probe, near=False,
              types=[{FLOAT: np.float32, INT64: np.int64, DOUBLE: np.float64}[k] for k in kinds])

    nodes, weights = stumps([("BRANCH_LEQ", 0, 16777216.0), ("BRANCH_LT", 1, 0.1), ("BRANCH_GT", 2, 0.0)], 0)
    tree = trees("TreeEnsembleRegressor", nodes, weights, ["y"], "target", given="t", n_targets=1)
    order = oh.make_tensor("order", INT64, [3], [2, 0, -2])
    several("own_gather", [FLOAT, FLOAT, INT64],
            [oh.make_node("Cast", ["c"], ["cf"], to=FLOAT), oh.make_node("Concat", ["a", "b", "cf"], ["abc"], axis=1),
             oh.make_node("Gather", ["abc", "order"], ["g"], axis=1), oh.make_node("Flatten", ["g"], ["t"]), tree],
            [("y", FLOAT)], [order])
    order = oh.make_tensor("order", INT64, [3], [2, 0, 1])
    several("own_vectorizer", [DOUBLE, DOUBLE, DOUBLE],
            [oh.make_node("FeatureVectorizer", ["a", "b", "c"], ["abc"], domain=ML, inputdimensions=[1, 1, 1]),
             oh.make_node("ArrayFeatureExtractor", ["abc", "order"], ["t"], domain=ML), tree], [("y", FLOAT)], [order])

    weights = [(0, 1, 0, 1.0), (0, 2, 1, 1.5), (1, 1, 1, 0.5), (1, 2, 2, 2.5), (1, 2, 0, -0.5)]
    tree = trees("TreeEnsembleRegressor", TWO, weights, ["s"], "target", n_targets=3)
    names = oh.make_tensor("names", STRING, [3], [b"x", b"y", b"z"])
    flat = oh.make_tensor("flat", INT64, [1], [-1])
    one = {"starts": [1], "ends": [3], "axes": [1]}
    edges = [oh.make_tensor(n, INT64, [1], v) for n, v in one.items()]
    scale = oh.make_node("Constant", [], ["scale"], value=oh.make_tensor("v", FLOAT, [1, 3], [1.0, 2.0, 0.5]))
    write("own_softmax", made(
        [tree, scale, oh.make_node("Mul", ["scale", "s"], ["m"]), oh.make_node("Softmax", ["m"], ["p"], axis=1),
         oh.make_node("ArgMax", ["m"], ["at"], axis=1), oh.make_node("Gather", ["names", "at"], ["n"], axis=0),
         oh.make_node("Reshape", ["n", "flat"], ["l"])],
        1, [("l", STRING), ("p", FLOAT)], constants=[names, flat]), STEPS, near=False, names=["x"])
    # The label is chosen from other columns than those shown.
    write("own_two_columns", made(
        [tree, oh.make_node("Slice", ["s", "starts", "ends", "axes"], ["yz"]),
         oh.make_node("Neg", ["s"], ["n"]), oh.make_node("ArgMax", ["n"], ["l"], axis=1, keepdims=0),
         oh.make_node("Slice", ["s", "zero", "starts", "axes"], ["x0"]), oh.make_node("Abs", ["yz"], ["abs"])],
        1, [("l", INT64), ("x0", FLOAT), ("abs", FLOAT)],
        constants=edges + [oh.make_tensor("zero", INT64, [1], [0])]), STEPS, near=False, names=["x"])


def refused():
    """A graph of another kind, in a folder of its own."""
    os.makedirs(os.path.join(HERE, "refused"), exist_ok=True)
    node = oh.make_node("Conv", ["x", "w"], ["y"])
    weights = oh.make_tensor("w", FLOAT, [1, 1, 1], [1.0])
    model = made([node], 2, [("y", FLOAT)], constants=[weights])
    onnx.save(model, os.path.join(HERE, "refused", "conv.onnx"))


if __name__ == "__main__":
    sklearn()
    lightgbm()
    xgboost()
    cat()
    own_modes()
    own_sums()
    own_classes()
    own_shapes()
    own_columns()
    refused()
