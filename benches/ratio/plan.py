"""The rivals of the scenario `plan`: for each line that names one, what the query takes and its numbers.

    select count(*), avg(predict(model using *)) from narrow where c0 > -0.5

Arguments: the folder with the table's Parquet files, the model's file, the number of columns. Two threads each. The
answer is seconds by the clock, seconds of the processors, the two numbers.
"""

import glob
import inspect
import sys
import time

import duckdb
import lightgbm
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet

THREADS = 2

folder, model_file, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
columns = [f"c{i}" for i in range(width)]
# The files of the table that has these columns and no others.
files = glob.glob(f"{folder}/**/*.parquet", recursive=True)
files = [file for file in files if pyarrow.parquet.read_schema(file).names == columns]
booster = lightgbm.Booster(model_file=model_file)
pa.set_cpu_count(THREADS)


def predict(*arrays):
    """A chunk of rows: one copy, to rows side by side, which LightGBM reads where they lie."""
    matrix = np.column_stack([array.to_numpy(zero_copy_only=False) for array in arrays])
    return pa.array(booster.predict(matrix, num_threads=THREADS))


# DuckDB counts a function's parameters.
predict.__signature__ = inspect.Signature(
    inspect.Parameter(column, inspect.Parameter.POSITIONAL_ONLY) for column in columns
)
connection = duckdb.connect()
connection.execute(f"set threads = {THREADS}")
connection.create_function("predict", predict, ["DOUBLE"] * width, "DOUBLE", type="arrow")


def with_duckdb():
    query = f"select count(*), avg(predict({', '.join(columns)})) from read_parquet({files!r}) where c0 > -0.5"
    return connection.execute(query).fetchone()


def with_pandas():
    frame = pandas.read_parquet(files, columns=columns)
    frame = frame[frame.c0 > -0.5]
    scores = booster.predict(frame, num_threads=THREADS)
    return len(scores), scores.mean()


rivals = {"duckdb": with_duckdb, "pandas": with_pandas}
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    count, average = rivals[line.strip()]()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(wall, cpu, count, average, flush=True)
