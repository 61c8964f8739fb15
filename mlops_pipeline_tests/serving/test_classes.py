"""A version of a contract that asks which class answers one, in every protocol and in bulk."""

import json
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from mlops_pipeline.contract.load import load_contract
from mlops_pipeline.errors import ServingError
from mlops_pipeline.features.matrix import FeatureMatrix
from mlops_pipeline.registry.mlmodel import mlmodel
from mlops_pipeline.serving.batch import BatchScorer
from mlops_pipeline.serving.dialects import Asked
from mlops_pipeline.serving.inference import OpenInference
from mlops_pipeline.serving.invocations import Invocations
from mlops_pipeline.serving.lightgbm_native import LightGBMScorer
from mlops_pipeline.serving.log_parquet import read_parquet, to_parquet
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline.serving.one import ROWS
from mlops_pipeline.serving.openapi import openapi
from mlops_pipeline.serving.predictor import Prediction, Predictor
from mlops_pipeline.serving.records import Call, RecordMaker
from mlops_pipeline.serving.request_log import Arm, read_spool
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline.training.rows import LabelledRows
from mlops_pipeline.training.table import trainer
from mlops_pipeline_tests.models import arrival_class
from mlops_pipeline_tests.serving.test_app import Saying
from mlops_pipeline_tests.serving.test_numbers import FAR
from mlops_pipeline_tests.serving.test_numbers import snapshot as look_ups
from mlops_pipeline_tests.serving.world import make_bundle

CONTRACT = load_contract(Path(str(arrival_class.__file__)).with_name("contract.yaml"))
NAMES = ("on_time", "late", "very_late")
TOLD = [0.25, 0.5, 0.25]
PREDICTIONS = [
    Prediction(0.5, "late", array("d"), None, None, TOLD),
    Prediction(0.75, "on_time", array("d"), None, None, [0.75, 0.0, 0.25]),
]


class Telling(Saying):
    """Says the same of every row."""

    def __init__(self, told: Sequence[float]) -> None:
        super().__init__(told[0])
        self._told = told

    def scores(self, vector: "array[float]") -> Sequence[float]:
        return self._told


def fitted(name: str = "lightgbm") -> Any:
    """A model of the contract's features whose class follows the distance."""
    chance = np.random.default_rng(2)
    values = np.column_stack([chance.integers(0, 9, 400), *chance.uniform(0, 20, (5, 400))])
    values = np.column_stack([values, chance.random(400)])
    values[:, 3] = chance.uniform(100, 4000, 400)
    labels = np.searchsorted([1500, 2800], values[:, 3]) * 1.0
    names = tuple(feature.name for feature in CONTRACT.features.columns)
    matrix = FeatureMatrix(names, np.ascontiguousarray(values), (16, *[0] * 6))
    rows = LabelledRows(matrix, labels, np.arange(400), CONTRACT.question)
    params: dict[str, Any] = {"num_boost_round": 9} if name == "lightgbm" else {"hidden": (4,)}
    return trainer(name).fit(rows, rows, params=params, seed=1), matrix.values


def predictor(folder: Path, told: Sequence[float] | None = None) -> Predictor:
    bundle = make_bundle(folder / "bundle", CONTRACT, files=fitted()[0].files())
    lookups = Lookups(folder / "features", CONTRACT, bundle.manifest.definition_digest)
    lookups.current = look_ups()
    return Predictor(bundle, load_scorer(bundle) if told is None else Telling(told), lookups)


def asked(one: Predictor, **changes: Any) -> tuple[int, dict[str, Any], Call]:
    call = Call(arm=Arm.LIVE, at=0.0, id="a")
    row = ROWS[CONTRACT.task](one, "7")
    status, body = row.answered(call, json.dumps({**FAR, **changes}).encode())
    return status, json.loads(body), call


def test_the_answer_is_the_likeliest_class_with_the_probability_of_each(tmp_path: Path) -> None:
    status, body, call = asked(predictor(tmp_path, TOLD))

    assert (status, body["answer"], body["probability"]) == (200, "late", 0.5)
    assert body["classes"] == dict(zip(NAMES, TOLD, strict=True))
    assert (call.score, call.classes) == (0.5, TOLD)


def test_of_equally_likely_classes_the_first_is_the_answer(tmp_path: Path) -> None:
    assert asked(predictor(tmp_path, [0.2, 0.4, 0.4]))[1]["answer"] == "late"


@pytest.mark.parametrize("told", [[float("nan"), 0.5, 0.5], [1.5, -0.5, 0.0], [0.5, 0.5]])
def test_what_are_no_probabilities_is_an_error_and_fails_the_self_test(
    tmp_path: Path, told: list[float]
) -> None:
    one = predictor(tmp_path, told)

    assert asked(one)[0] == 500
    with pytest.raises(ServingError, match=r"the model gave .*: no probabilities of 3 classes"):
        one.self_test()


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_single_rows_and_matrices_are_scored_as_training_does(tmp_path: Path, name: str) -> None:
    model, values = fitted(name)
    place = 0 if name == "lightgbm" else 1
    bundle = make_bundle(tmp_path, CONTRACT, files=model.files(), candidate=place)
    scorer, offline = load_scorer(bundle), model.predict(values)

    singly = [scorer.scores(array("d", row)) for row in values]  # type: ignore[attr-defined]

    assert scorer.score_matrix(values).tolist() == offline.tolist()
    assert np.array(singly) == pytest.approx(offline, abs=0 if name == "lightgbm" else 1e-6)
    with pytest.raises(ServingError, match="no one score"):
        scorer.score_batch([array("d", values[0])])


def test_trees_of_another_number_of_classes_do_not_load() -> None:
    model = fitted()[0].files()["model.txt"]

    with pytest.raises(ServingError, match="7 features and 3 outputs; the version declares 7"):
        LightGBMScorer(model, 7)


def test_mlflows_protocol_says_answer_and_probabilities() -> None:
    invoked = json.loads(Invocations(CONTRACT).answer("a", Asked([]), PREDICTIONS).body)

    assert invoked["predictions"][0] == {
        "answer": "late",
        "probability": 0.5,
        "classes": dict(zip(NAMES, TOLD, strict=True)),
    }


def test_the_inference_protocol_has_a_row_of_probabilities_and_texts_in_either_form() -> None:
    protocol = OpenInference(CONTRACT, "7")
    names = ("probability", "answer", "classes")
    plain = json.loads(protocol.answer("a", Asked([], outputs=names), PREDICTIONS).body)
    raw = protocol.answer("a", Asked([], None, names, frozenset(names)), PREDICTIONS)

    by_name = {output["name"]: output for output in plain["outputs"]}
    assert by_name["classes"]["shape"] == [2, 3]
    assert by_name["classes"]["data"] == [*TOLD, 0.75, 0.0, 0.25]
    assert (by_name["answer"]["datatype"], by_name["answer"]["data"]) == (
        "BYTES",
        ["late", "on_time"],
    )
    sizes = [o["parameters"]["binary_data_size"] for o in json.loads(_json_of(raw.body))["outputs"]]
    assert sizes == [16, 4 + 4 + 4 + 7, 48]
    assert raw.body.endswith(struct.pack("<6d", *TOLD, 0.75, 0.0, 0.25))
    assert protocol.outputs[2] == {"name": "classes", "datatype": "FP64", "shape": [-1, 3]}


def _json_of(body: bytes) -> bytes:
    return body[: body.rindex(b"}") + 1]


def test_the_document_and_the_signature_name_the_classes() -> None:
    schemas = openapi(CONTRACT, "7")["components"]["schemas"]
    signature = json.loads(json.loads(mlmodel(CONTRACT))["signature"]["outputs"])

    assert schemas["Answer"]["properties"]["answer"] == {"enum": list(NAMES)}
    assert schemas["Answer"]["properties"]["classes"]["required"] == list(NAMES)
    (invoked,) = [schemas["Predictions"]["properties"]["predictions"]["items"]]
    assert invoked["required"] == ["probability", "answer", "classes"]
    assert [(field["name"], field["type"]) for field in signature] == [
        ("probability", "double"),
        ("answer", "string"),
        ("classes", "map"),
    ]


def test_the_signature_is_one_that_mlflow_reads() -> None:
    from mlflow.models.signature import ModelSignature

    signature = json.loads(mlmodel(CONTRACT))["signature"]
    read = ModelSignature.from_dict(signature)

    assert read.outputs.input_names() == ["probability", "answer", "classes"]


def test_a_record_keeps_the_probabilities_through_spool_and_parquet(tmp_path: Path) -> None:
    call = asked(predictor(tmp_path, TOLD))[2]
    record = RecordMaker("arrival_class", "7", CONTRACT).make(call)
    spool = tmp_path / "live-1-1.jsonl"
    failed = asked(predictor(tmp_path / "ill", [2.0, 0.0, 0.0]))[2]
    kept = [record, RecordMaker("arrival_class", "7", CONTRACT).make(failed)]
    spool.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in kept))

    from_spool = list(read_spool(spool))
    from_parquet = list(read_parquet(to_parquet(spool)[0]))

    assert [each.classes for each in from_spool] == [TOLD, msgspec.UNSET]
    assert from_parquet == from_spool


def test_a_table_gets_the_answers_that_are_served(tmp_path: Path) -> None:
    one = predictor(tmp_path)
    bundle = make_bundle(tmp_path / "again", CONTRACT, files=fitted()[0].files())
    scorer = BatchScorer(bundle, "7", load_scorer(bundle), look_ups())
    table = pa.table(
        {
            "departs": pa.array([1364797800.0] * 3),
            "carrier": ["UA", "B6", "UA"],
            "distance": [3500.0, 500.0, -1.0],
            "visib": [9.0, None, None],
        }
    )

    told = scorer.score(table)

    served = [
        asked(one, carrier=carrier, distance=distance, visib=visib)[1]
        for carrier, distance, visib in (("UA", 3500, 9.0), ("B6", 500, None))
    ]
    for name in ("answer", "probability", "classes"):
        assert told[name].to_pylist() == [*(body[name] for body in served), None]
    assert told["answer"].to_pylist()[:2] == ["very_late", "on_time"]
    assert scorer.score(table.slice(0, 0)).schema == told.schema
