import sys
from pathlib import Path
from typing import Any

import pytest

from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.definition import definition_digest
from mlops_pipeline_tests.data import tiny


def changed(section: str, **changes: Any) -> str:
    part = {**tiny.CONTRACT[section], **changes}
    return definition_digest(tiny.contract(**{section: part}))


def test_equal_definitions_have_equal_digests() -> None:
    assert definition_digest(tiny.contract()) == definition_digest(tiny.contract())


@pytest.mark.parametrize(
    "other",
    [
        lambda: changed("target", above=1),
        lambda: changed("features", unknown_category="reject"),
        lambda: changed("features", columns=tiny.CONTRACT["features"]["columns"][::-1]),
        lambda: changed("features", function="mlops_pipeline_tests.features.functions:gives_more"),
        lambda: definition_digest(tiny.with_column("shop", categories=["b", "a", "c"])),
        lambda: definition_digest(tiny.with_column("items", type="number")),
    ],
    ids=["bound", "unknown", "order", "function", "categories", "type"],
)
def test_whatever_moves_a_feature_moves_the_digest(other: Any) -> None:
    assert other() != definition_digest(tiny.contract())


@pytest.mark.parametrize(
    "same",
    [
        lambda: changed("features", max_age_days=3),
        lambda: changed("target", max_rate=0.9),
        lambda: definition_digest(tiny.contract(title="Other words", seed=3)),
        lambda: definition_digest(tiny.with_column("amount", maximum=50)),
    ],
    ids=["age", "rate", "words", "range"],
)
def test_what_moves_no_feature_leaves_the_digest(same: Any) -> None:
    assert same() == definition_digest(tiny.contract())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of a user, importable as `user_features`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "user_features", raising=False)
    return tmp_path / "user_features.py"


def test_a_neighbour_of_the_function_moves_the_digest(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for divisor in (2, 20):  # the texts differ in length: linecache sees that the file changed
        text = f"HALF = {divisor}\ndef derive(row):\n    return {{'each': row['amount'] / HALF}}\n"
        module.write_text(text)
        monkeypatch.delitem(sys.modules, "user_features", raising=False)
        digests.add(changed("features", function="user_features:derive"))
    assert len(digests) == 2


def test_a_function_without_source_text_has_no_identity() -> None:
    with pytest.raises(FeatureError, match="its module builtins has no readable source text"):
        changed("features", function="builtins:dict")
