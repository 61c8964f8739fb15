"""A scaffolded model is whole, gives rows that hold the contract, and can be learned."""

import importlib
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mean_absolute_error, r2_score, roc_auc_score

from mlops_pipeline.contract.load import load_callable, load_contract
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.contract.scaffold import FILES, NewModel, scaffold
from mlops_pipeline.data.labels import label
from mlops_pipeline.data.quality import run_checks
from mlops_pipeline.data.sources import read_source
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import ContractError
from mlops_pipeline.evaluation.metrics_multiclass import roc_auc_ovr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> NewModel:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        model = scaffold("parcels_scaffolded", folder)
        importlib.import_module(f"{model.module}.source")
        importlib.import_module(f"{model.module}.features")
    return model


@pytest.fixture(scope="module")
def contract(made: NewModel) -> ModelContract:
    return load_contract(made.folder / "contract.yaml")


def test_the_folder_holds_four_files(made: NewModel) -> None:
    assert sorted(p.name for p in made.folder.iterdir() if p.is_file()) == sorted(FILES)
    assert made.importable


def test_a_window_gives_the_same_rows_alone_and_within_a_larger_one(
    contract: ModelContract,
) -> None:
    parcels = load_callable(contract.source.function)
    march, night = Window.of_month("2024-03"), datetime.fromisoformat("2024-03-16")
    half = datetime.fromisoformat("2024-03-14T12:00")

    alone = parcels(half, night)
    month = parcels(march.start, march.end)

    inside = month[month["handed_over"].between(half, night, inclusive="left")]
    pd.testing.assert_frame_equal(alone, inside)
    assert len(month) == 31 * 120
    assert parcels(half, half).empty


def test_the_rows_pass_every_check_of_the_contract(contract: ModelContract) -> None:
    march = read_source(contract, Window.of_month("2024-03"))
    february = read_source(contract, Window.of_month("2024-02"))

    outcomes = run_checks(
        contract,
        march,
        reference=february,
        usual_rows=[len(february)],
        as_of=Window.of_month("2024-03").end,
    )

    assert [(o.name, o.summary) for o in outcomes if not o.passed] == []


def test_the_function_gives_one_row_what_it_gives_a_column(contract: ModelContract) -> None:
    derive = load_callable(contract.features.function)
    seconds = datetime.fromisoformat("2024-05-06T12:30+00:00").timestamp()  # a Monday

    one = derive({"handed_over": seconds})
    many = derive({"handed_over": np.array([seconds, seconds + 86400])})

    assert one == {"hour": 12.0, "weekday": 0.0}
    assert many["weekday"].tolist() == [0.0, 1.0]


def test_a_plain_model_proves_the_promised_auc_on_a_later_month(contract: ModelContract) -> None:
    promised = contract.acceptance.criteria[0].at_least
    assert promised is not None
    parts = [Window.of_months("2024-01", "2024-03"), Window.of_month("2024-04")]
    (train, truth), (test, answers) = (
        (_plain_features(rows), label(contract, rows))
        for rows in (read_source(contract, part) for part in parts)
    )
    known, asked = ~np.isnan(truth), ~np.isnan(answers)

    model = LogisticRegression(max_iter=1000).fit(train[known], truth[known])
    auc = roc_auc_score(answers[asked], model.predict_proba(test[asked])[:, 1])

    assert auc > promised + 0.03  # room for the interval of one month


def test_a_model_of_numbers_is_whole_and_a_plain_one_proves_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    made = scaffold("parcels_counted", tmp_path, task="regression")
    contract = load_contract(made.folder / "contract.yaml")
    r2, mae = (criterion for criterion in contract.acceptance.criteria[:2])
    rows = [
        read_source(contract, part)
        for part in (Window.of_months("2024-01", "2024-03"), Window.of_month("2024-04"))
    ]
    (train, truth), (test, answers) = ((_plain_features(r), label(contract, r)) for r in rows)
    known, asked = ~np.isnan(truth), ~np.isnan(answers)

    told = LinearRegression().fit(train[known], truth[known]).predict(test[asked])

    assert contract.task == "regression"
    assert r2_score(answers[asked], told) > (r2.at_least or 1) + 0.03
    assert mean_absolute_error(answers[asked], told) < (mae.at_most or 0) - 0.1
    april = Window.of_month("2024-04")
    outcomes = run_checks(
        contract, rows[1], reference=rows[0], usual_rows=[len(rows[1])], as_of=april.end
    )
    assert [(o.name, o.summary) for o in outcomes if not o.passed] == []


def test_a_model_of_classes_is_whole_and_a_plain_one_proves_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    made = scaffold("parcels_classed", tmp_path, task="multiclass")
    contract = load_contract(made.folder / "contract.yaml")
    (promised, _) = contract.acceptance.criteria
    rows = [
        read_source(contract, part)
        for part in (Window.of_months("2024-01", "2024-03"), Window.of_month("2024-04"))
    ]
    (train, truth), (test, answers) = ((_plain_features(r), label(contract, r)) for r in rows)
    known, asked = ~np.isnan(truth), ~np.isnan(answers)

    model = LogisticRegression(max_iter=1000).fit(train[known], truth[known])

    assert contract.classes == ("early", "late", "very_late")
    found = roc_auc_ovr(answers[asked], model.predict_proba(test[asked]))
    assert found > (promised.at_least or 1) + 0.03
    april = Window.of_month("2024-04")
    outcomes = run_checks(
        contract, rows[1], reference=rows[0], usual_rows=[len(rows[1])], as_of=april.end
    )
    assert [(o.name, o.summary) for o in outcomes if not o.passed] == []


def _plain_features(rows: pd.DataFrame) -> np.ndarray:
    hour = rows["handed_over"].dt.hour.to_numpy(dtype=float)
    return np.column_stack([rows["weight"] / 10, rows["distance"] / 500, hour / 10])


@pytest.mark.parametrize("name", ["", "Parcels", "2nd", "a-b", "a" * 42, "class", "../up", "a\n"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=re.escape(f"{name!r} cannot name a model")):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "source.py").write_text("precious")

    with pytest.raises(ContractError, match="mine exists already"):
        scaffold("mine", tmp_path)
    assert (tmp_path / "mine" / "source.py").read_text() == "precious"


def test_a_name_that_python_knows_already_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"'json' is already the Python module .*json"):
        scaffold("json", tmp_path)


def test_a_parent_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="nowhere is no folder: make it first"):
        scaffold("mine", tmp_path / "nowhere")


def test_in_a_package_the_functions_are_named_from_its_top(tmp_path: Path) -> None:
    package = tmp_path / "acme_scaffold_test" / "models"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()

    model = scaffold("mine", package)

    assert (model.module, model.import_from) == ("acme_scaffold_test.models.mine", tmp_path)
    assert not model.importable
    whole = load_contract(model.folder / "contract.yaml")
    assert whole.source.function == "acme_scaffold_test.models.mine.source:parcels"
