from typing import Any

import pytest

from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import RegistryError
from mlops_pipeline.registry.changes import changes
from mlops_pipeline.registry.code import CodeState
from mlops_pipeline.registry.environment import Environment
from mlops_pipeline.registry.lineage import lineage_digest, lineage_json, read_lineage
from mlops_pipeline_tests.registry.parts import lineage

LATER = Window.of_months("2024-01", "2024-02")
CAUSES: list[dict[str, Any]] = [
    {"params": {"num_leaves": 63}},
    {"seed": 2},
    {"snapshot": "f" * 64},
    {"definition": "f" * 64},
    {"contract": "f" * 64},
    {"train": LATER},
    {"code": CodeState(None, None, "d" * 64)},
    {"environment": Environment("CPython 3.12.0", "Linux x86_64", "e" * 64, "avx2")},
    {"environment": Environment("CPython 3.11.9", "Linux x86_64", "e" * 64, "avx512f")},
]


def test_equal_causes_have_equal_digests() -> None:
    assert lineage_digest(lineage()) == lineage_digest(lineage())


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: next(iter(cause)))
def test_any_other_cause_is_another_digest(cause: dict[str, Any]) -> None:
    assert lineage_digest(lineage(**cause)) != lineage_digest(lineage())


def test_a_record_reads_back_as_it_was_written() -> None:
    assert read_lineage(lineage_json(lineage())) == lineage()
    with pytest.raises(RegistryError, match="this is no lineage record"):
        read_lineage(b'{"model": 1}')


def test_what_changed_is_told_cause_by_cause() -> None:
    after = lineage(
        train=LATER,
        params={"num_leaves": 63, "max_depth": 4},
        code=CodeState("c" * 40, True, "9" * 64),
    )
    assert [(c.what, c.before, c.after) for c in changes(lineage(), after)] == [
        ("trained on", "2024-01-01 to 2024-02-01", "2024-01-01 to 2024-03-01"),
        ("parameter max_depth", "—", "4"),
        ("parameter num_leaves", "31", "63"),
        ("code", "dddddddddddd (cccccccccccc)", "999999999999 (cccccccccccc, changed)"),
    ]


def test_the_first_version_changed_nothing() -> None:
    assert changes(None, lineage()) == ()
    assert changes(lineage(), lineage()) == ()
