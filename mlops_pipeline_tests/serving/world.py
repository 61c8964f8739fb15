"""A version small enough to know by heart: two trees over the flights' contract.

The first tree asks `distance <= 1000`, the second `carrier_late_28d <= 0.3`; the raw scores of
their leaves add up, and the probability is the logistic function of the sum:

| distance | carrier's late rate | raw | probability |
|---|---|---|---|
| 500 | 0.1 | -1 - 1 = -2 | 0.119203 |
| 500 | 0.5 | -1 + 2 = 1 | 0.731059 |
| 2000 | 0.1 | 1 - 1 = 0 | 0.5 |
| 2000 | 0.5 | 1 + 2 = 3 | 0.952574 |
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mlops_pipeline.contract.load import contract_digest, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.objects import digest_of
from mlops_pipeline.data.windows import Window
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.registry.bundle import Bundle, open_bundle, pack
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.registry.environment import Environment
from mlops_pipeline.registry.lineage import Lineage
from mlops_pipeline.settings import PACKAGE_MODELS

FLIGHTS = PACKAGE_MODELS / "flight_delay" / "contract.yaml"
ROW: dict[str, Any] = {
    "scheduled_departure": "2013-04-01T06:30:00",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "distance": 500,
    "scheduled_arrival": 830,
    "temp": 39.0,
    "humid": 60.0,
    "wind_speed": 10.0,
    "precip": 0.0,
    "pressure": 1012.0,
    "visib": 10.0,
}
AS_OF = date(2013, 4, 1)


def flights() -> ModelContract:
    """The contract of the flights."""
    return load_contract(FLIGHTS)


def probability(raw: float) -> float:
    """LightGBM's own logistic function, in float64."""
    return 1.0 / (1.0 + math.exp(-raw))


def body(**changes: Any) -> bytes:
    """The good row as JSON, with changes; a value of `...` leaves the field out."""
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    return json.dumps(row).encode()


def snapshot(contract: ModelContract, *, as_of: date = AS_OF, late: float = 0.1) -> FeatureSnapshot:
    """Look-ups of which only the carrier UA is known, with `late` as its rate."""
    names = [feature.name for feature in contract.history]
    return FeatureSnapshot(
        model=contract.name,
        definition=definition_digest(contract),
        as_of=as_of,
        tables={name: ({"UA": late} if name == "carrier_late_28d" else {}) for name in names},
        defaults=dict.fromkeys(names, 0.2),
    )


def trees(contract: ModelContract) -> str:
    """The two trees as LightGBM's model file."""
    names = [feature.name for feature in contract.features.columns]
    return f"""tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx={len(names) - 1}
objective=binary sigmoid:1
feature_names={" ".join(names)}
feature_infos={" ".join(["[0:10000]"] * len(names))}
tree_sizes=0 0

{_tree(0, names.index("distance"), 1000.0, -1.0, 1.0)}
{_tree(1, names.index("carrier_late_28d"), 0.3, -1.0, 2.0)}
end of trees
""".replace("tree_sizes=0 0\n", "")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model that is only its files."""

    trainer: str
    feature_names: tuple[str, ...]
    stored: Mapping[str, bytes]

    def files(self) -> dict[str, bytes]:
        return dict(self.stored)

    def predict(self, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def importance(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}


def bundle_files(
    contract: ModelContract, *, files: Mapping[str, bytes] | None = None, candidate: int = 0
) -> dict[str, bytes]:
    """The files of a bundle that holds the two trees, or `files` of another candidate."""
    chosen = contract.candidates[candidate]
    stored = {"model.txt": trees(contract).encode()} if files is None else files
    names = tuple(feature.name for feature in contract.features.columns)
    return pack(
        contract, chosen, StoredModel(chosen.trainer, names, stored), _lineage(contract, candidate)
    )


def make_bundle(
    folder: Path,
    contract: ModelContract | None = None,
    *,
    files: Mapping[str, bytes] | None = None,
    candidate: int = 0,
) -> Bundle:
    """The bundle, unpacked in `folder`."""
    contract = contract or flights()
    for name, content in bundle_files(contract, files=files, candidate=candidate).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return open_bundle(folder)


def changed(contract: ModelContract, changes: Mapping[str, Any]) -> ModelContract:
    """The contract with values replaced, each named by its dotted path: `columns.2.nullable`."""
    data = msgspec.json.decode(contract.model_dump_json())
    for path, value in changes.items():
        *way, last = path.split(".")
        place = data
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        place[int(last) if isinstance(place, list) else last] = value
    return ModelContract.model_validate(data)


def _lineage(contract: ModelContract, candidate: int) -> Lineage:
    chosen = contract.candidates[candidate]
    month = Window.of_month("2013-03")
    return Lineage(
        model=contract.name,
        candidate=chosen.name,
        trainer=chosen.trainer,
        params=chosen.params,
        seed=contract.seed,
        snapshot=digest_of(b"rows"),
        definition=definition_digest(contract),
        contract=contract_digest(contract),
        train=month,
        validation=month,
        test=month,
        code=CodeState(commit=None, dirty=None, sources=digest_of(b"code")),
        environment=Environment("CPython 3.11", "Linux x86_64", digest_of(b"packages"), "avx2"),
    )


def _tree(number: int, feature: int, threshold: float, low: float, high: float) -> str:
    return f"""Tree={number}
num_leaves=2
num_cat=0
split_feature={feature}
split_gain=1
threshold={threshold}
decision_type=8
left_child=-1
right_child=-2
leaf_value={low} {high}
leaf_weight=1 1
leaf_count=1 1
internal_value=0
internal_weight=0
internal_count=2
is_linear=0
shrinkage=1
"""
