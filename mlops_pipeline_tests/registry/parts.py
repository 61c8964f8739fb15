"""A lineage, a model that is only its files, and the bundle of both."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlops_pipeline.contract.load import contract_digest
from mlops_pipeline.data.windows import Window
from mlops_pipeline.registry.attestation import attest
from mlops_pipeline.registry.bundle import pack
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.registry.environment import Environment
from mlops_pipeline.registry.keys import signing_key
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline.training.protocols import Fact
from mlops_pipeline_tests.data import tiny

FILES = {"model.txt": b"tree\n"}


@dataclass(frozen=True)
class FileModel:
    """A model of the visits' contract that answers nothing."""

    trainer: str = "lightgbm"
    feature_names: tuple[str, ...] = tuple(f["name"] for f in tiny.CONTRACT["features"]["columns"])

    def predict(self, values: np.ndarray) -> np.ndarray:
        return np.zeros(len(values))

    def files(self) -> dict[str, bytes]:
        return dict(FILES)

    def importance(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, Fact]:
        return {}


def lineage(**changes: Any) -> Lineage:
    """Where a version of the visits' model came from, with changes."""
    whole = Lineage(
        model="visits",
        candidate="trees",
        trainer="lightgbm",
        params={"num_leaves": 31},
        seed=1,
        snapshot="a" * 64,
        definition="b" * 64,
        contract=contract_digest(tiny.contract()),
        train=Window.of_month("2024-01"),
        validation=Window.of_month("2024-01"),
        test=Window.of_month("2024-02"),
        code=CodeState(commit="c" * 40, dirty=False, sources="d" * 64),
        environment=Environment("CPython 3.11.9", "Linux x86_64", "e" * 64, "avx2"),
    )
    return replace(whole, **changes)


def bundle(**changes: Any) -> dict[str, bytes]:
    """The files of a bundle whose lineage has these changes."""
    contract = tiny.contract()
    return pack(contract, contract.candidates[0], FileModel(), lineage(**changes))


def laid_out(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files stand in the folder."""
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def sign_in_place(folder: Path, files: Mapping[str, bytes], keys: Path) -> Path:
    """The files stand in the folder, signed by the key in `keys`."""
    return laid_out(folder, attest(files, report="f" * 64, run="r1", key=signing_key(keys)))
