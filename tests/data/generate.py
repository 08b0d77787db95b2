"""Makes the files of this folder, with writers that are not ours: pyarrow and delta-rs for Python (pip install both).

They are kept in the repository, since the tests need files that others wrote and neither package otherwise."""

import datetime
import pathlib
import shutil

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent


def trips(day, first):
    return pa.table({
        "id": pa.array([first, first + 1], pa.int64()),
        "city": pa.array(["Berlin", None], pa.string()),
        "fare": pa.array([10.5, 20.25], pa.float64()),
        "at": pa.array([datetime.datetime(2024, 1, day, 8, 30, tzinfo=datetime.timezone.utc)] * 2, pa.timestamp("us", "UTC")),
        "price": pa.array([1, 2], pa.int64()).cast(pa.decimal128(21, 2)),
    })


for day in (1, 2):
    folder = here / "trips" / f"day=2024-01-0{day}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(trips(day, day * 10), folder / "part-0.parquet")

# Row groups in the order of a column, in files that differ in what they have and say: all columns, one column less, no
# statistics.
def rides(first, names=("km", "hour", "toll")):
    rows = range(first, first + 2000)
    columns = {
        "km": pa.array([None if n % 50 == 0 else n / 20 for n in rows], pa.float32()),
        "hour": pa.array([n % 24 for n in rows], pa.int64()),
        "toll": pa.array([n % 3 == 0 for n in rows]),
    }
    return pa.table({name: columns[name] for name in names})


for name, table, statistics in [
    ("zone=near/part-0", rides(0), True),
    ("zone=far/part-0", rides(2000, ("km", "hour")), True),
    ("zone=far/part-1", rides(0), False),
]:
    file = here / "rides" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=500, write_statistics=statistics)

shutil.rmtree(here / "delta", ignore_errors=True)
deltalake.write_deltalake(here / "delta", trips(1, 1))
deltalake.write_deltalake(here / "delta", trips(2, 3), mode="append")
deltalake.DeltaTable(here / "delta").delete("id = 2")
