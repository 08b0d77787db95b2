"""The rivals of the scenario `plan`: for each line that names one, its numbers for the query.

    select count(*), avg(predict(model using *)) from narrow where c0 > -0.5

Arguments: the folder with the table's Parquet files, the model's file, the number of columns. Two threads each.
"""

import glob
import sys

import duckdb
import lightgbm
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet

folder, model_file, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
columns = [f"c{i}" for i in range(width)]


def files():
    """The files of the table that has the columns and no others."""
    found = []
    for path in glob.glob(f"{folder}/**/*.parquet", recursive=True):
        names = pyarrow.parquet.read_schema(path).names
        if names == columns:
            found.append(path)
    return found


paths = files()
booster = lightgbm.Booster(model_file=model_file)


def predict(*arrays):
    matrix = np.column_stack([a.to_numpy(zero_copy_only=False) for a in arrays])
    return pa.array(booster.predict(matrix, num_threads=2))


connection = duckdb.connect()
connection.execute("set threads = 2")
connection.create_function("predict", predict, ["DOUBLE"] * width, "DOUBLE", type="arrow")


def with_duckdb():
    query = f"select count(*), avg(predict({', '.join(columns)})) from read_parquet({paths!r}) where c0 > -0.5"
    return connection.execute(query).fetchone()


def with_pandas():
    frame = pandas.read_parquet(paths, columns=columns)
    frame = frame[frame.c0 > -0.5]
    scores = booster.predict(frame, num_threads=2)
    return len(scores), scores.mean()


for line in sys.stdin:
    numbers = {"duckdb": with_duckdb, "pandas": with_pandas}[line.strip()]()
    print(*[repr(float(n)) for n in numbers], flush=True)
