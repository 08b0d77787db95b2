"""The original LightGBM as the oracle of training and scoring.

    oracle.py make DIR              trains every case and writes DIR/cases.json and DIR/<case>/
    oracle.py score DIR CASE FILE   loads the model FILE and prints its raw scores of the case's rows

A case's folder: rows.csv (the training table), model.txt (the model), trees.txt (the part of it that must be equal),
raw.txt and out.txt (scores of the rows), odd.json (rows with hostile values), odd_raw.txt. Scores and hostile numbers
are the bits of a float8 in hexadecimal.
"""

import json
import pathlib
import struct
import sys

import lightgbm
import numpy

EXACT = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
TEXTS = ["ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "rowan", "willow", "Ähre"]


class Case:
    """Columns, options and what the original makes of them."""

    def __init__(self, name, columns, label, label_type, options, rounds=20, trained=True, **more):
        self.name = name
        self.columns = columns  # name -> list of floats, or of texts and None
        self.label = label  # as SQL has it
        self.label_type = label_type
        self.options = options
        self.rounds = rounds
        self.trained = trained  # whether Alcedo trains it too
        self.weights = more.get("weights")
        self.held = more.get("held")
        self.group = more.get("group")
        self.patience = more.get("patience")
        self.texts = {n: sorted({t for t in c if t is not None}, key=str.encode) for n, c in columns.items() if is_text(c)}
        self.labels = None
        if label_type in ("text", "boolean"):
            self.labels = sorted(set(label), key=lambda v: str(v).encode())

    def matrix(self, columns):
        out = numpy.empty((len(next(iter(columns.values()))), len(columns)))
        for i, (name, values) in enumerate(columns.items()):
            if name in self.texts:
                codes = {text: code for code, text in enumerate(self.texts[name])}
                values = [codes.get(v, numpy.nan) for v in values]
            out[:, i] = values
        return out

    def target(self):
        if self.labels is None:
            return numpy.array(self.label, dtype=float)
        return numpy.array([self.labels.index(v) for v in self.label], dtype=float)

    def train(self):
        params = dict(self.options, **EXACT)
        if params.get("objective", "").startswith("multiclass"):
            params["num_class"] = len(self.labels)
        categorical = [i for i, n in enumerate(self.columns) if n in self.texts]
        x, y = self.matrix(self.columns), self.target()
        train = numpy.ones(len(y), bool) if self.held is None else ~numpy.array(self.held)

        def dataset(mask, reference=None):
            return lightgbm.Dataset(
                x[mask],
                y[mask],
                reference=reference,
                weight=None if self.weights is None else numpy.array(self.weights)[mask],
                group=self.group,
                feature_name=list(self.columns),
                categorical_feature=categorical or "auto",
                params=params,
                free_raw_data=False,
            )

        first = dataset(train)
        extra = {}
        if self.held is not None:
            extra = {
                "valid_sets": [dataset(~train, first)],
                "callbacks": [lightgbm.early_stopping(self.patience, verbose=False)],
            }
        booster = lightgbm.train(params, first, self.rounds, **extra)
        booster.pandas_categorical = [self.texts[n] for n in self.columns if n in self.texts] or None
        return booster

    def odd(self, booster, rng):
        """Rows of the training with values that no training has seen, and with the model's own thresholds."""
        found = thresholds(booster, len(self.columns))
        rows = {name: [] for name in self.columns}
        count = len(self.label)
        for _ in range(150):
            at = rng.integers(count)
            for i, (name, values) in enumerate(self.columns.items()):
                value = values[at]
                if rng.random() < 0.5:
                    if name in self.texts:
                        value = [None, "unseen", "", self.texts[name][-1]][rng.integers(4)]
                    else:
                        pool = [numpy.nan, 0.0, -0.0, 1e-36, -1e-35, 1e300, -1e300, numpy.inf, -numpy.inf]
                        pool += [t for t in found[i]] + [numpy.nextafter(t, numpy.inf) for t in found[i]]
                        value = float(pool[rng.integers(len(pool))])
                rows[name].append(value)
        return rows

    def sql_options(self):
        parts = {"label": "y", "num_iterations": self.rounds, "data_split_method": "none"}
        parts.update({k: v for k, v in dict(self.options, **EXACT).items() if k != "verbosity"})
        if self.weights is not None:
            parts["instance_weight_col"] = "w"
        if self.held is not None:
            parts.update({"data_split_method": "custom", "data_split_col": "held", "early_stopping_rounds": self.patience})
        return ", ".join(f"{k} = {sql(v)}" for k, v in parts.items())


def is_text(column):
    return any(isinstance(v, str) for v in column)


def sql(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(sql, value)) + "]"
    return f"'{value}'" if isinstance(value, str) else repr(value)


def thresholds(booster, columns):
    found = [set() for _ in range(columns)]

    def walk(node):
        if "split_feature" in node:
            if node["decision_type"] == "<=":
                found[node["split_feature"]].add(node["threshold"])
            walk(node["left_child"])
            walk(node["right_child"])

    for tree in booster.dump_model()["tree_info"]:
        walk(tree["tree_structure"])
    return [sorted(f)[:40] for f in found]


def cases():
    def draw(seed, rows, columns):
        rng = numpy.random.default_rng(seed)
        x = rng.normal(size=(rows, columns))
        return rng, x, {f"x{i}": x[:, i].tolist() for i in range(columns)}

    def signal(x):
        return 3 * x[:, 0] - 2 * numpy.abs(x[:, 1]) + x[:, 0] * x[:, 2]

    rng, x, columns = draw(1, 3000, 6)
    y = (signal(x) + rng.normal(size=3000)).tolist()
    sampled = {"num_leaves": 15, "learning_rate": 0.07, "bagging_fraction": 0.8, "bagging_freq": 2}
    sampled.update({"feature_fraction": 0.7, "lambda_l1": 0.1, "lambda_l2": 0.5, "seed": 42})
    yield Case("regression", columns, y, "float8", sampled, 40)
    yield Case("bins", columns, y, "float8", {"bin_construct_sample_cnt": 700, "max_bin": 63, "data_random_seed": 9})
    yield Case("goss", columns, y, "float8", {"data_sample_strategy": "goss", "seed": 3})
    yield Case("dart", columns, y, "float8", {"boosting": "dart", "seed": 5, "drop_rate": 0.3})
    yield Case("extra", columns, y, "float8", {"extra_trees": True, "monotone_constraints": [1, 0, 0, 0, 0, 0], "seed": 7})
    yield Case("quantile", columns, y, "float8", {"objective": "quantile", "alpha": 0.8, "seed": 1})
    weights = rng.random(3000).round(3).tolist()
    yield Case("weighted", columns, y, "float8", {"seed": 2}, weights=weights)
    held = (rng.random(3000) < 0.3).tolist()
    early = {"learning_rate": 0.4, "num_leaves": 40, "seed": 8}
    yield Case("early", columns, y, "float8", early, 300, held=held, patience=5)
    counts = rng.poisson(numpy.exp(0.4 * x[:, 0])).astype(float).tolist()
    yield Case("poisson", columns, counts, "float8", {"objective": "poisson", "seed": 4})

    rng, x, columns = draw(2, 2500, 5)
    odds = signal(x) + rng.normal(size=2500)
    yield Case("binary", columns, (odds > 0.5).tolist(), "boolean", {"objective": "binary", "num_leaves": 20, "seed": 11}, 50)
    yield Case("flags", columns, (odds > 2).astype(int).tolist(), "bigint", {"objective": "binary", "is_unbalance": True})
    forest = {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "seed": 12}
    yield Case("forest", columns, (odds > 0).tolist(), "boolean", forest)
    kinds = [["alpha", "beta", "gamma", "délta"][i] for i in numpy.digitize(odds, [-2, 0, 1.5])]
    yield Case("multiclass", columns, kinds, "text", {"objective": "multiclass", "num_leaves": 12, "seed": 13})
    yield Case("ova", columns, kinds, "text", {"objective": "multiclassova", "num_leaves": 8, "seed": 14})

    rng, x, columns = draw(3, 3000, 3)
    tree = [TEXTS[i] for i in rng.integers(len(TEXTS), size=3000)]
    tree[::17] = [None] * len(tree[::17])
    colour = [["red", "green", "blue"][i] for i in rng.integers(3, size=3000)]
    effect = numpy.array([0 if t is None else len(t) * (1 if "e" in t else -1) for t in tree])
    y = (signal(x) + effect + numpy.array([c == "red" for c in colour]) + rng.normal(size=3000)).tolist()
    columns = {"x0": columns["x0"], "tree": tree, "x1": columns["x1"], "colour": colour, "x2": columns["x2"]}
    categorical = {"min_data_per_group": 20, "cat_smooth": 2.0, "max_cat_threshold": 8, "seed": 15}
    yield Case("categorical", columns, y, "float8", categorical, 30)

    rng, x, columns = draw(4, 2500, 5)
    y = (signal(x) + rng.normal(size=2500) > 0).tolist()
    for i, share in enumerate([0.3, 0.1, 0.0, 0.5, 0.02]):
        x[rng.random(2500) < share, i] = numpy.nan
    x[rng.random(2500) < 0.2, 2] = 0.0
    columns = {f"x{i}": x[:, i].tolist() for i in range(5)}
    yield Case("missing", columns, y, "boolean", {"objective": "binary", "seed": 16}, 30)
    yield Case("zeros", columns, y, "boolean", {"objective": "binary", "zero_as_missing": True, "seed": 17})
    yield Case("unmissed", columns, y, "boolean", {"objective": "binary", "use_missing": False, "seed": 18})
    yield Case("linear", columns, signal(numpy.nan_to_num(x)).tolist(), "float8", {"linear_tree": True, "linear_lambda": 0.01, "num_leaves": 8})
    grades = numpy.clip(numpy.nan_to_num(x[:, 0]).round() + 1, 0, 3).tolist()
    yield Case("ranking", columns, grades, "float8", {"objective": "lambdarank"}, trained=False, group=[50] * 50)


def bits(value):
    return struct.pack(">d", float(value)).hex()


def write_scores(path, scores):
    path.write_text("".join(" ".join(map(bits, row)) + "\n" for row in scores.reshape(len(scores), -1)))


def trees(text):
    """From the head to the end of the trees: what follows (importances, parameters) may differ in its words."""
    return text[: text.index("end of trees")]


def cell(value):
    if value is None or (isinstance(value, float) and numpy.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def make(folder):
    described = []
    for case in cases():
        to = folder / case.name
        to.mkdir(parents=True)
        booster = case.train()
        # After early stopping these three mean the best iteration.
        booster.save_model(to / "model.txt")
        (to / "trees.txt").write_text(trees(booster.model_to_string()))
        x = case.matrix(case.columns)
        write_scores(to / "raw.txt", booster.predict(x, raw_score=True))
        write_scores(to / "out.txt", booster.predict(x))
        odd = case.odd(booster, numpy.random.default_rng(99))
        write_scores(to / "odd_raw.txt", booster.predict(case.matrix(odd), raw_score=True))
        lines = zip(*[[c if n in case.texts else bits(c) for c in odd[n]] for n in odd])
        (to / "odd.json").write_text(json.dumps(list(lines)))
        names = ["id", *case.columns, "y"]
        values = [range(len(case.label)), *case.columns.values(), case.label]
        for name, extra in (("w", case.weights), ("held", case.held)):
            if extra is not None:
                names.append(name)
                values.append(extra)
        rows = "\n".join(",".join(map(cell, row)) for row in zip(*values))
        (to / "rows.csv").write_text(",".join(names) + "\n" + rows + "\n")
        types = {"id": "bigint", "y": case.label_type, "w": "float8", "held": "boolean"}
        described.append(
            {
                "name": case.name,
                "columns": [[n, types.get(n) or ("text" if n in case.texts else "float8")] for n in names],
                "features": list(case.columns),
                "trained": case.trained,
                "options": case.sql_options(),
                "classes": None if case.label_type == "float8" else [str(v).lower() for v in case.labels or sorted(set(case.label))],
            }
        )
    (folder / "cases.json").write_text(json.dumps(described))


def score(folder, name, file):
    case = next(c for c in cases() if c.name == name)
    booster = lightgbm.Booster(model_file=file)
    texts = [case.texts[n] for n in case.columns if n in case.texts]
    assert (booster.pandas_categorical or []) == texts, (booster.pandas_categorical, texts)
    assert booster.feature_name() == list(case.columns), booster.feature_name()
    scores = booster.predict(case.matrix(case.columns), raw_score=True)
    write_scores(pathlib.Path("/dev/stdout"), scores)


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    {"make": make, "score": score}[what](pathlib.Path(folder), *rest)
