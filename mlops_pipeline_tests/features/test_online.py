import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mlops_pipeline.errors import FeatureError
from mlops_pipeline.features.online import (
    FeatureSnapshot,
    newest,
    newest_digest,
    publish,
    read_snapshot,
)

FIRST = FeatureSnapshot(
    model="visits",
    definition="d" * 64,
    as_of=date(2024, 1, 5),
    tables={"shop_3d": {"a": 0.1, "b|1": 1 / 3}},
    defaults={"shop_3d": 0.2},
)
SECOND = replace(FIRST, as_of=date(2024, 1, 6), defaults={"shop_3d": 0.4})


def test_nothing_is_newest_before_the_first_is_published(tmp_path: Path) -> None:
    assert newest(tmp_path, FIRST.definition) is None
    assert newest_digest(tmp_path, FIRST.definition) is None


def test_the_published_one_comes_back_exactly(tmp_path: Path) -> None:
    path = publish(tmp_path, FIRST)
    assert newest(tmp_path, FIRST.definition) == FIRST
    assert newest_digest(tmp_path, FIRST.definition) == path.stem
    assert publish(tmp_path, FIRST) == path


def test_an_older_day_is_stored_and_does_not_become_the_newest(tmp_path: Path) -> None:
    publish(tmp_path, SECOND)
    older = publish(tmp_path, FIRST)
    assert newest(tmp_path, FIRST.definition) == SECOND
    assert read_snapshot(tmp_path, FIRST.definition, older.stem) == FIRST


def test_a_second_one_of_the_same_day_replaces_the_first(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    corrected = replace(FIRST, defaults={"shop_3d": 0.3})
    publish(tmp_path, corrected)
    assert newest(tmp_path, FIRST.definition) == corrected


def test_definitions_do_not_see_each_other(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    assert newest(tmp_path, "e" * 64) is None


def test_an_altered_one_is_refused(tmp_path: Path) -> None:
    path = publish(tmp_path, FIRST)
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.9"))
    with pytest.raises(FeatureError, match="is not what its name says"):
        newest(tmp_path, FIRST.definition)


def test_one_that_is_gone_is_named(tmp_path: Path) -> None:
    publish(tmp_path, FIRST).unlink()
    with pytest.raises(FeatureError, match="is gone; publish the feature snapshot again"):
        newest(tmp_path, FIRST.definition)


def test_one_of_another_definition_is_refused(tmp_path: Path) -> None:
    path = publish(tmp_path, FIRST)
    os.rename(path.parent, tmp_path / ("e" * 64))
    with pytest.raises(FeatureError, match="holds features of definition dddddddddddd…, not eee"):
        newest(tmp_path, "e" * 64)


@pytest.mark.parametrize("damage", ["gone", "altered", "cut"])
def test_publishing_again_mends_a_newest_snapshot_that_is_damaged(
    tmp_path: Path, damage: str
) -> None:
    whole = FIRST
    path = publish(tmp_path, whole)
    if damage == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:10] if damage == "cut" else content.replace(b"0.", b"1."))
    with pytest.raises(FeatureError, match="publish"):
        newest(tmp_path, whole.definition)
    assert publish(tmp_path, whole) == path
    assert newest(tmp_path, whole.definition) == whole
