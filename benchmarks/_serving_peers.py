"""The peers of benchmarks/serving.py, each in an environment of its own, as their users start them.

Both are given the trees and the numbers that the trees read: they need not look anything up, map
categories or check a contract, which is an advantage for them.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

PACKAGES = {
    "mlflow": ("mlflow==3.17.2", "lightgbm==4.7.0", "pandas==2.3.3"),
    "mlserver": ("mlserver==1.7.1", "mlserver-lightgbm==1.7.1"),
}
SAVE_FOR_MLFLOW = """
import sys
import lightgbm, mlflow.lightgbm, pandas
from mlflow.models import infer_signature
model, target = sys.argv[1:]
booster = lightgbm.Booster(model_file=model)
rows = pandas.DataFrame([[float(n) for n in range(booster.num_feature())]],
                        columns=booster.feature_name())
mlflow.lightgbm.save_model(booster, target, signature=infer_signature(rows, booster.predict(rows)))
"""


def python_of(folder: Path, peer: str) -> Path:
    """The peer's interpreter; its environment is made and filled where it is not there yet."""
    home = folder / peer
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        venv.create(home, with_pip=True)
        run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES[peer]])
        (home / "installed").touch()
    return python


def mlflow_server(python: Path, folder: Path, model: Path, port: int) -> Sequence[str]:
    """`mlflow models serve` with one worker, of a model saved with a signature."""
    target = folder / "mlflow-model"
    run([str(python), "-W", "ignore", "-c", SAVE_FOR_MLFLOW, str(model), str(target)])
    return [
        *(str(python.with_name("mlflow")), "models", "serve", "-m", str(target)),
        *("--env-manager", "local", "-p", str(port), "-w", "1"),
    ]


def mlserver_server(python: Path, folder: Path, model: Path, port: int) -> Sequence[str]:
    """MLServer with its LightGBM runtime, without worker processes."""
    home = folder / "mlserver"
    home.mkdir()
    (home / "model.bst").write_bytes(model.read_bytes())
    about = {
        "name": "trees",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": "./model.bst"},
    }
    (home / "model-settings.json").write_text(json.dumps(about))
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,
        "debug": False,
    }
    (home / "settings.json").write_text(json.dumps(settings))
    return [str(python.with_name("mlserver")), "start", str(home)]


def mlflow_body(names: Sequence[str], vector: Sequence[float]) -> bytes:
    """One row as MLflow's clients send it."""
    values = [None if value != value else value for value in vector]
    return json.dumps({"dataframe_split": {"columns": list(names), "data": [values]}}).encode()


def mlserver_body(names: Sequence[str], vector: Sequence[float]) -> bytes:
    """One row as one tensor."""
    tensor = {"name": "row", "datatype": "FP64", "shape": [1, len(names)], "data": list(vector)}
    return json.dumps({"inputs": [tensor]}).encode()


def run(command: Sequence[str]) -> None:
    """The command ended well; else its words are shown."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {(done.stderr or done.stdout)[-1500:]}")


def environment() -> dict[str, str]:
    """One thread each, silent, and nothing of our own interpreter."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}"
    return {
        **given,
        "PATH": path,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
