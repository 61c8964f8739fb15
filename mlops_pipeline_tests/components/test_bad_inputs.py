"""Every bad input stops the run that ingests it with the error that names it; nothing is stored."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_pipeline.components.data import rows_asset
from mlops_pipeline.components.house import House
from mlops_pipeline.defs.models import models
from mlops_pipeline.errors import ContractError
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.bad_inputs import BAD_INPUTS, DATABASE, PLACES, url_of


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_INPUTS)
def test_a_bad_input_fails_the_run_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = BAD_INPUTS[name]
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(DATABASE, url_of(tmp_path))
    contract = tiny.contract(source={**PLACES, **bad.spoil(tmp_path)})
    house = House()
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [rows_asset(contract)],
            partition_key="2024-01",
            resources={"house": house},
            instance=instance,
            raise_on_error=False,
        )
        (failed,) = [event for event in result.all_events if event.is_step_failure]
    error = failed.step_failure_data.error
    assert error is not None
    named = error.cause or error
    assert named.cause is None  # what a person reads last is the named error itself
    with pytest.raises(AssertionError, match=f"(?s)SourceError: .*{bad.says}"):
        raise AssertionError(named.message)
    assert house.snapshots.parts("visits") == {}


def test_a_contract_that_names_an_unknown_column_stops_the_load_of_the_code_location(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "visits" / "contract.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({**tiny.CONTRACT, "entity": ["visitor", "gate"]}))
    monkeypatch.setenv("MLOPS_CONTRACTS", str(tmp_path))
    with pytest.raises(ContractError, match=r"entity.1: no column is named 'gate'; columns: at"):
        models()
