"""The rivals of the scenario `score` that Python has: for each line that names one, what scoring all rows takes.

Arguments: a folder with `model.txt` and `rows` (f64, row after row), and the number of columns. The scores go to a file
of the rival's name there. One thread each; the processor is the one that this process was pinned to. The answer is
seconds by the clock and seconds of the processor, or `without` and why.
"""

import sys
import time

import numpy as np

folder, width = sys.argv[1], int(sys.argv[2])
model_file = f"{folder}/model.txt"
rows = np.fromfile(f"{folder}/rows").reshape(-1, width)


def lightgbm_arrow():
    """A table of one batch; what is missing is NULL."""
    import lightgbm
    import pyarrow as pa

    booster = lightgbm.Booster(model_file=model_file)
    table = pa.table({f"c{i}": pa.array(column, from_pandas=True) for i, column in enumerate(rows.T.copy())})
    return lambda: booster.predict(table, raw_score=True, num_threads=1)


def onnxruntime():
    """As exporters write LightGBM's models; rows of f32 side by side, which it reads where they lie."""
    import lightgbm
    import onnxruntime
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = lightgbm.Booster(model_file=model_file)
    types = [("rows", FloatTensorType([None, width]))]
    model = convert_lightgbm(booster, initial_types=types, target_opset=15)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {"rows": rows.astype(np.float32)}
    return lambda: session.run(None, inputs)[0]


def lleaves():
    """Compiled to the processor's own instructions; rows of f64 side by side, which it reads where they lie."""
    import lleaves

    # It wants the line that LightGBM's Python package ends its files with.
    ended = f"{folder}/ended.txt"
    with open(model_file) as model, open(ended, "w") as file:
        file.write(f"{model.read()}\npandas_categorical:null\n")
    model = lleaves.Model(model_file=ended)
    model.compile(raw_score=True)
    return lambda: model.predict(rows, n_jobs=1)


known, ready = {"lightgbm-arrow": lightgbm_arrow, "onnxruntime": onnxruntime, "lleaves": lleaves}, {}
for line in sys.stdin:
    name = line.strip()
    try:
        if name not in ready:
            ready[name] = known[name]()
    except ImportError as error:
        print("without", error, flush=True)
        continue
    wall, cpu = time.perf_counter(), time.process_time()
    scores = ready[name]()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.asarray(scores, dtype=np.float64).tofile(f"{folder}/{name}")
    print(wall, cpu, flush=True)
