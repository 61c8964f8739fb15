"""A version of a contract that asks for a number answers numbers, in every protocol and in bulk."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.errors import ServingError
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline.features.online import FeatureSnapshot
from mlops_pipeline.registry.mlmodel import mlmodel
from mlops_pipeline.serving.batch import BatchScorer
from mlops_pipeline.serving.dialects import Asked
from mlops_pipeline.serving.inference import OpenInference
from mlops_pipeline.serving.invocations import Invocations
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline.serving.metrics import score_bounds
from mlops_pipeline.serving.one import ROWS
from mlops_pipeline.serving.openapi import openapi
from mlops_pipeline.serving.predictor import Prediction, Predictor
from mlops_pipeline.serving.records import Call
from mlops_pipeline.serving.request_log import Arm
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline_tests.models import arrival_delay
from mlops_pipeline_tests.serving.test_app import Saying
from mlops_pipeline_tests.serving.world import make_bundle, trees

CONTRACT = load_contract(Path(str(arrival_delay.__file__)).with_name("contract.yaml"))
FAR = {"departs": "2013-04-01T06:30:00", "carrier": "UA", "distance": 2000, "precip": None}
LATE = {"carrier_late_28d": {"UA": 0.5}}


def numbers(contract: ModelContract) -> bytes:
    """The two trees, whose leaves add up to a number."""
    return trees(contract).replace("objective=binary sigmoid:1", "objective=regression").encode()


def snapshot() -> FeatureSnapshot:
    """Look-ups by which one carrier is often late."""
    definition = definition_digest(CONTRACT)
    return FeatureSnapshot(
        CONTRACT.name, definition, date(2013, 4, 1), LATE, {"carrier_late_28d": 0.1}
    )


def predictor(folder: Path, said: float | None = None) -> Predictor:
    bundle = make_bundle(folder / "bundle", CONTRACT, files={"model.txt": numbers(CONTRACT)})
    lookups = Lookups(folder / "features", CONTRACT, bundle.manifest.definition_digest)
    lookups.current = snapshot()
    return Predictor(bundle, load_scorer(bundle) if said is None else Saying(said), lookups)


def asked(one: Predictor, **changes: Any) -> tuple[int, dict[str, Any], Call]:
    call = Call(arm=Arm.LIVE, at=0.0, id="a")
    row = ROWS[CONTRACT.task](one, "7")
    status, body = row.answered(call, json.dumps({**FAR, **changes}).encode())
    return status, json.loads(body), call


@pytest.mark.parametrize("number", [-31.5, 0.0, 1e6])
def test_any_finite_number_is_an_answer(tmp_path: Path, number: float) -> None:
    status, body, call = asked(predictor(tmp_path, number))

    assert (status, body["prediction"], call.score) == (200, number, number)
    assert "probability" not in body
    assert "answer" not in body


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_an_error_and_fails_the_self_test(
    tmp_path: Path, number: float
) -> None:
    one = predictor(tmp_path, number)

    assert asked(one)[0] == 500
    with pytest.raises(ServingError, match=r"self-test: the model gave .*, no prediction"):
        one.self_test()


@pytest.mark.parametrize(
    ("carrier", "distance", "number"),
    [("B6", 500, -2.0), ("UA", 500, 1.0), ("B6", 2000, 0.0), ("UA", 2000, 3.0)],
)
def test_the_sum_of_the_leaves_is_the_number(
    tmp_path: Path, carrier: str, distance: float, number: float
) -> None:
    assert asked(predictor(tmp_path), carrier=carrier, distance=distance)[1]["prediction"] == number


def test_mlflows_and_the_inference_protocol_say_the_number() -> None:
    told = [Prediction(-31.5, False, None, None, None), Prediction(7.25, True, None, None, None)]  # type: ignore[arg-type]
    protocol = OpenInference(CONTRACT, "7")

    invoked = Invocations(CONTRACT).answer("a", Asked([]), told)
    inferred = protocol.answer("a", Asked([], outputs=("prediction",)), told)

    assert json.loads(invoked.body) == {"predictions": [-31.5, 7.25]}
    (output,) = json.loads(inferred.body)["outputs"]
    wanted = {"name": "prediction", "datatype": "FP64", "shape": [2], "data": [-31.5, 7.25]}
    assert output == wanted
    assert protocol.outputs == [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]


def test_the_document_and_the_signature_name_the_number() -> None:
    answer = openapi(CONTRACT, "7")["components"]["schemas"]["Answer"]
    signature = json.loads(json.loads(mlmodel(CONTRACT))["signature"]["outputs"])

    assert answer["properties"]["prediction"] == {"type": "number"}
    assert "probability" not in answer["properties"]
    assert signature == [{"name": "prediction", "required": True, "type": "double"}]


def test_the_histogram_of_numbers_spans_the_targets_limits() -> None:
    bounds = score_bounds(CONTRACT)

    assert (bounds[0], bounds[-1]) == pytest.approx((-19.5, 169.5))


def test_a_table_gets_the_numbers_that_are_served(tmp_path: Path) -> None:
    one = predictor(tmp_path)
    bundle = make_bundle(tmp_path / "again", CONTRACT, files={"model.txt": numbers(CONTRACT)})
    table = pa.table(
        {
            "departs": pa.array([1364797800.0, 1364797800.0]),
            "carrier": ["UA", "B6"],
            "distance": [2000.0, 500.0],
            "visib": [9.0, None],
        }
    )

    told = BatchScorer(bundle, "7", load_scorer(bundle), snapshot()).score(table)

    served = [
        asked(one, carrier=carrier, distance=distance, visib=visib)[1]["prediction"]
        for carrier, distance, visib in (("UA", 2000, 9.0), ("B6", 500, None))
    ]
    assert told["prediction"].to_pylist() == served
    assert "answer" not in told.column_names
