from pathlib import Path

import pytest

from mlops_pipeline.errors import RegistryError, ServingError
from mlops_pipeline.registry.bundle import open_bundle
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline.serving.predictor import NotReady, Predictor, example_row
from mlops_pipeline.serving.refusals import Refusal
from mlops_pipeline.serving.scorers import load_scorer
from mlops_pipeline.serving.wire import RequestReader, Row
from mlops_pipeline_tests.serving.test_app import Saying
from mlops_pipeline_tests.serving.world import body, bundle_files, flights, make_bundle


def predictor(folder: Path, number: float | None = None) -> Predictor:
    bundle = make_bundle(folder / "bundle")
    lookups = Lookups(folder / "features", bundle.contract, bundle.manifest.definition_digest)
    scorer = load_scorer(bundle) if number is None else Saying(number)
    return Predictor(bundle, scorer, lookups)


def test_without_look_ups_it_is_not_ready(tmp_path: Path) -> None:
    ready = predictor(tmp_path)
    row = ready.reader.read(body())
    assert isinstance(row, Row)
    with pytest.raises(NotReady, match="no feature snapshot of flight_delay was published yet"):
        ready.predict(row)


def test_the_self_test_needs_no_look_ups(tmp_path: Path) -> None:
    assert 0 < predictor(tmp_path).self_test() < 1


@pytest.mark.parametrize("number", [float("nan"), 2.0])
def test_a_version_that_gives_no_probability_fails_its_self_test(
    tmp_path: Path, number: float
) -> None:
    with pytest.raises(ServingError, match="self-test: the model gave"):
        predictor(tmp_path, number).self_test()


def test_the_example_row_meets_its_contract() -> None:
    contract = flights()
    reader = RequestReader(contract)
    row = example_row(contract)
    named = {name: str(v) if name == "scheduled_departure" else v for name, v in row.items()}
    assert not isinstance(reader.read(body(**named)), Refusal)


def test_another_feature_code_than_the_versions_is_refused(tmp_path: Path) -> None:
    contract = flights()
    files = bundle_files(contract)
    trained = files["manifest.json"]
    folder = tmp_path / "bundle"
    other = make_bundle(folder, contract).manifest.definition_digest
    (folder / "manifest.json").write_bytes(trained.replace(other.encode(), b"0" * 64))
    bundle = open_bundle(folder)
    lookups = Lookups(tmp_path, contract, bundle.manifest.definition_digest)
    with pytest.raises(ServingError, match="trained with feature definition 000000000000…"):
        Predictor(bundle, Saying(0.5), lookups)


def test_a_bundle_without_the_file_that_its_trainer_writes_is_refused(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, candidate=1, files={"weights.safetensors": b""})
    with pytest.raises(RegistryError, match=r"lists no file 'model/model\.onnx'"):
        load_scorer(bundle)
