import subprocess
import sys

import pytest

from mlops_pipeline.errors import TrainingError
from mlops_pipeline.training.table import load


def test_an_unknown_trainer_is_named_beside_those_that_exist() -> None:
    with pytest.raises(
        TrainingError, match=r"'forest'; there are \['lightgbm', 'linear', 'torch'\]"
    ):
        load("forest", {})


def test_the_table_alone_imports_no_trainer() -> None:
    code = (
        "import sys, mlops_pipeline.training.table\n"
        "print(sorted({'lightgbm', 'torch', 'onnx', 'onnxruntime', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
