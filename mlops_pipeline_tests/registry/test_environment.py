import platform
import subprocess
import sys

import pytest

from mlops_pipeline.registry.environment import installed_packages, read_environment


def test_the_environment_is_the_same_in_another_process() -> None:
    code = "from mlops_pipeline.registry.environment import read_environment as r; print(r())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(read_environment())


def test_python_and_machine_are_told_in_words() -> None:
    found = read_environment()
    assert found.python == f"CPython {platform.python_version()}"
    assert found.machine.startswith(platform.system())
    assert len(found.packages) == 64


def test_torchs_choice_of_kernels_is_part_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert read_environment().vectors == "default"


def test_packages_are_named_once_and_normalised() -> None:
    found = installed_packages()
    assert "scikit-learn" in found
    assert "mlops-pipeline" not in found
    assert list(found) == sorted(found)
    assert all(name == name.lower() and "_" not in name for name in found)
