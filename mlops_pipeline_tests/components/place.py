"""A home of its own with the town's contract, as processes and sensors find it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mlops_pipeline.components.house import House
from mlops_pipeline.components.instance import open_instance
from mlops_pipeline.components.model import model_definitions
from mlops_pipeline.components.records import RecordIOManager
from mlops_pipeline.components.tracking import mlflow_tracking
from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline_tests.monitoring import town


@dataclass
class Place:
    """One model, its doors, its definitions and a Dagster instance."""

    contract: ModelContract
    house: House
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def tick(
        self, sensor: dg.SensorDefinition | str, cursor: str | None = None, **more: Any
    ) -> Any:
        """What one tick of the sensor gives.

        The context is left at once: one that is only dropped is closed some time later, out of
        turn, and Dagster then takes an instance that is gone for the current one.
        """
        known = self.definitions.resolve_sensor_def
        defined = known(sensor) if isinstance(sensor, str) else sensor
        resources = {"house": self.house}
        with dg.build_sensor_context(
            instance=self.instance, cursor=cursor, resources=resources, **more
        ) as context:
            return defined.evaluate_tick(context)


def environment_of(home: Path, contract: Mapping[str, Any]) -> dict[str, str]:
    """The contract lies in the home, and these variables name both."""
    file = home / "contracts" / str(contract["name"]) / "contract.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(contract), sort_keys=False))
    return {
        "MLOPS_HOME": str(home / "state"),
        "MLOPS_CONTRACTS": str(home / "contracts"),
        "DAGSTER_HOME": str(home / "state" / "dagster"),
        "MLOPS_PROFILE": "scratch",
    }


@contextmanager
def place(home: Path, **parts: Any) -> Iterator[Place]:
    """The town with parts of its contract replaced."""
    whole = {**town.CONTRACT, **parts}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(home, whole).items():
            patch.setenv(name, value)
        house = House()
        contract = load_contract(home / "contracts" / str(whole["name"]) / "contract.yaml")
        resources = {"house": house, "io_manager": RecordIOManager(), "mlflow": mlflow_tracking}
        definitions = dg.Definitions.merge(
            model_definitions(contract), dg.Definitions(resources=resources)
        )
        with open_instance(house.settings) as instance:
            yield Place(contract, house, definitions, instance)
        house.ledger.dispose()
