"""Writes the golden models of this folder with the original library, LightGBM 4.7.

Run it in a Python that has lightgbm 4.7, numpy and pandas: `python generate.py`. For each case NAME:
  NAME.txt   the model as LightGBM text
  NAME.csv   a line of column names, then per row: the inputs, the raw scores, the transformed scores.
Numbers are written with 17 digits, so they come back bit for bit; an empty field is missing.
"""
import os
import lightgbm as lgb
import numpy as np
import pandas as pd

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = dict(num_threads=1, deterministic=True, force_row_wise=True, seed=7, verbose=-1,
            min_data_in_leaf=5, num_leaves=7, learning_rate=0.2)
ROWS, WRITTEN = 600, 20


def text(value):
    if isinstance(value, str):
        return value
    return "" if value is None or np.isnan(value) else repr(float(value))


def write(name, booster, inputs, shown=None):
    """Scores `inputs`; the file shows `shown` instead where that differs."""
    shown = (inputs if shown is None else shown)[:WRITTEN]
    inputs = inputs[:WRITTEN]
    raw = np.asarray(booster.predict(inputs, raw_score=True)).reshape(len(inputs), -1)
    out = np.asarray(booster.predict(inputs)).reshape(len(inputs), -1)
    model = booster.model_to_string()
    with open(os.path.join(HERE, name + ".txt"), "w", newline="\n") as f:
        f.write(model)
    rows = shown.values.tolist() if isinstance(shown, pd.DataFrame) else shown.tolist()
    head = booster.feature_name() + [f"raw{k}" for k in range(raw.shape[1])]
    head += [f"out{k}" for k in range(out.shape[1])]
    with open(os.path.join(HERE, name + ".csv"), "w", newline="\n") as f:
        f.write(",".join(head) + "\n")
        for given, r, o in zip(rows, raw, out):
            f.write(",".join(text(v) for v in [*given, *r, *o]) + "\n")


def numbers(rng, missing=0.0):
    x = rng.normal(size=(ROWS, 5))
    x[:, 3] = np.round(x[:, 3] * 3)
    x[rng.random(x.shape) < missing] = np.nan
    return x


def signal(x):
    z = np.nan_to_num(x, nan=-1.5)
    return z[:, 0] * 2 - np.abs(z[:, 1]) + z[:, 2] * z[:, 3]


def train(name, x, y, rounds=6, categorical="auto", probe=None, **params):
    data = lgb.Dataset(x, y, categorical_feature=categorical, params={**BASE, **params})
    booster = lgb.train({**BASE, **params}, data, rounds)
    write(name, booster, x if probe is None else probe)


def plain():
    rng = np.random.default_rng(1)
    x = numbers(rng)
    y = signal(x) + rng.normal(size=ROWS) * 0.1
    train("regression", x, y, objective="regression")
    train("sqrt", x, y, objective="regression", reg_sqrt=True, rounds=3)
    train("l1", x, y, objective="regression_l1", rounds=3)
    train("huber", x, y, objective="huber", rounds=3)
    train("quantile", x, y, objective="quantile", alpha=0.7, rounds=3)
    train("fair", x, y, objective="fair", rounds=3)
    train("mape", x, y, objective="mape", rounds=3)
    positive = np.exp(y / 4)
    train("poisson", x, positive, objective="poisson", rounds=3)
    train("gamma", x, positive, objective="gamma", rounds=3)
    train("tweedie", x, positive, objective="tweedie", rounds=3)
    train("binary", x, (y > 0) * 1.0, objective="binary", sigmoid=0.7)
    unit = 1 / (1 + np.exp(-y))
    train("cross_entropy", x, unit, objective="cross_entropy", rounds=3)
    train("cross_entropy_lambda", x, unit, objective="cross_entropy_lambda", rounds=3)
    classes = np.digitize(y, [-1.5, 1.0])
    train("multiclass", x, classes, objective="multiclass", num_class=3, rounds=4)
    train("multiclassova", x, classes, objective="multiclassova", num_class=3, sigmoid=1.3, rounds=3)
    bag = dict(boosting="rf", bagging_fraction=0.6, bagging_freq=1)
    train("rf", x, y, objective="regression", **bag)
    train("rf_binary", x, (y > 0) * 1.0, objective="binary", **bag)
    train("rf_multiclass", x, classes, objective="multiclass", num_class=3, rounds=3, **bag)
    train("dart", x, y, objective="regression", boosting="dart", drop_rate=0.5)
    train("stumps", x, y, objective="regression", num_leaves=2)
    train("constant", x, np.full(ROWS, 2.5), objective="regression", rounds=2)
    data = lgb.Dataset(x, np.clip(classes, 0, 2), group=[20] * (ROWS // 20))
    write("lambdarank", lgb.train({**BASE, "objective": "lambdarank"}, data, 3), x)
    write("rank_xendcg", lgb.train({**BASE, "objective": "rank_xendcg"}, data, 3), x)

    def own(predictions, dataset):
        return predictions - dataset.get_label(), np.ones_like(predictions)

    write("custom", lgb.train({**BASE, "objective": own}, lgb.Dataset(x, y), 3), x)


def missing():
    rng = np.random.default_rng(2)
    x = numbers(rng, missing=0.2)
    y = signal(x) + np.isnan(x[:, 1]) * 3
    probe = x.copy()
    probe[:8, 0] = [0.0, -0.0, 1e-36, -1e-36, 1e-35, 1e300, -1e300, np.nan]
    train("missing", x, y, objective="regression", probe=probe)
    zeros = np.where(rng.random(x.shape) < 0.4, 0.0, x)
    probe = zeros.copy()
    probe[:8, 0] = [0.0, -0.0, 1e-36, -1e-36, 1e-34, -1e-34, 2.0, np.nan]
    train("zero_as_missing", zeros, signal(zeros), objective="regression", zero_as_missing=True,
          probe=probe)
    whole = numbers(rng)
    probe = whole.copy()
    probe[:10, :3] = np.nan
    train("no_missing", whole, signal(whole), objective="regression", use_missing=False, probe=probe)


def linear():
    rng = np.random.default_rng(3)
    x = numbers(rng, missing=0.1)
    train("linear_tree", x, signal(x), objective="regression", linear_tree=True, rounds=5)


def categorical():
    rng = np.random.default_rng(4)
    x = numbers(rng)
    x[:, 3] = rng.integers(0, 50, ROWS)
    x[:, 4] = rng.integers(0, 4, ROWS)
    y = np.sin(x[:, 3]) * 3 + x[:, 0] + (x[:, 4] == 2)
    probe = x.copy()
    probe[:9, 3] = [np.nan, -1, 77, 1e9, 1e12, 3.7, -0.5, 31, 32]
    shape = dict(min_data_per_group=5, cat_smooth=1.0, max_cat_to_onehot=4)
    train("categorical", x, y, objective="regression", categorical=[3, 4], probe=probe, **shape)
    frame = pd.DataFrame({
        "amount": x[:, 0],
        "country": pd.Categorical(rng.choice(["no", "se \"x\"", "fi\\", "dk", "ünï"], ROWS)),
        "code": pd.Categorical(rng.choice([10, 20, 35], ROWS)),
        "steps": x[:, 1],
    })
    y = (frame["country"] == "fi\\") * 2 - (frame["code"] == 20) * 1.5 + frame["amount"] > 0
    data = lgb.Dataset(frame, y * 1.0, params={**BASE, **shape})
    booster = lgb.train({**BASE, **shape, "objective": "binary"}, data, 5)
    shown = frame.astype({"country": object, "code": object})
    shown.loc[[0, 1], "country"] = [None, "unseen"]
    shown.loc[2, "code"] = None
    frame.loc[[0, 1], "country"] = None
    frame.loc[2, "code"] = None
    write("pandas", booster, frame, shown)


if __name__ == "__main__":
    plain()
    missing()
    linear()
    categorical()
