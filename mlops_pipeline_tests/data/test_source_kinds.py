"""Every kind of source gives the same rows, and every bad input has an error that names it."""

import gzip
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.files import inflated, parquet_table
from mlops_pipeline.data.sources import read_source
from mlops_pipeline.data.storage import without_secrets
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError
from mlops_pipeline_tests.data import tiny
from mlops_pipeline_tests.data.bad_inputs import (
    BAD_INPUTS,
    DATABASE,
    PLACES,
    as_csv,
    month,
    url_of,
)

JANUARY = Window.of_month("2024-01")


def source(**words: Any) -> ModelContract:
    return tiny.contract(source={**PLACES, **words})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for key in ("2024-01", "2024-02"):
        month(key).to_parquet(tmp_path / f"{key}.parquet")
        (tmp_path / f"{key}.csv").write_text(as_csv(month(key)), encoding="utf-8")
    return tmp_path


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = sa.create_engine(url)
    types = {"at": sa.DateTime(), "items": sa.BigInteger()}
    with engine.begin() as connection:
        tiny.raw().to_sql("visits", connection, index=False, dtype=types)
    engine.dispose()
    monkeypatch.setenv("SHOP_DB", url)
    return url


def test_parquet_and_csv_files_give_the_rows_of_the_function(folder: Path) -> None:
    wanted = read_source(tiny.contract(), JANUARY)
    for kind in ("parquet", "csv"):
        for place in (f"{folder}/{{month}}.{kind}", f"{folder}/"):
            found = read_source(source(kind=kind, location=place), JANUARY)
            pd.testing.assert_frame_equal(found, wanted)


def test_a_location_may_name_a_variable_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISITS", str(folder))
    found = read_source(source(kind="csv", location="$VISITS/{month}.csv"), JANUARY)
    assert len(found) == 7


def test_a_table_gives_the_rows_of_the_function(database: str) -> None:
    contract = source(kind="sql", url_from="SHOP_DB", table="visits")
    wanted = read_source(tiny.contract(), JANUARY)
    pd.testing.assert_frame_equal(read_source(contract, JANUARY), wanted)


def test_a_text_id_keeps_its_leading_zeros_in_csv(tmp_path: Path) -> None:
    text = as_csv(month("2024-01")).replace(",v1,", ",007,")
    (tmp_path / "visits.csv").write_text(text, encoding="utf-8")
    found = read_source(source(kind="csv", location=f"{tmp_path}/visits.csv"), JANUARY)
    assert found["visitor"].iloc[0] == "007"


def test_csv_may_have_another_encoding_and_delimiter(tmp_path: Path) -> None:
    text = as_csv(month("2024-01")).replace(",v1,", ",Zoë,").replace(",", ";")
    (tmp_path / "v.csv").write_bytes(text.encode("latin-1"))
    contract = source(kind="csv", location=f"{tmp_path}/v.csv", encoding="latin-1", delimiter=";")
    assert read_source(contract, JANUARY)["visitor"].iloc[0] == "Zoë"


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_a_bad_input_has_an_error_that_names_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = BAD_INPUTS[name]
    monkeypatch.setenv(DATABASE, url_of(tmp_path))
    with pytest.raises(SourceError, match=bad.says):
        read_source(source(**bad.spoil(tmp_path)), JANUARY)


def test_a_packed_file_is_never_inflated_beyond_the_limit() -> None:
    packed = gzip.compress(b"0" * 1_000_000)
    assert inflated(packed, 1_000_000) == b"0" * 1_000_000
    with pytest.raises(ValueError, match="inflates to more than 999999 bytes; split the file"):
        inflated(packed, 999_999)


def test_a_parquet_file_is_not_read_whose_rows_need_more_than_the_limit(tmp_path: Path) -> None:
    month("2024-01").to_parquet(tmp_path / "x.parquet", index=False)
    content = (tmp_path / "x.parquet").read_bytes()
    assert parquet_table(content, 7 * 6 * 8).num_rows == 7
    with pytest.raises(ValueError, match="42 cells need more than 335 bytes; split the file"):
        parquet_table(content, 7 * 6 * 8 - 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://mara:p@ss/word@host/x.csv: no", "https://•••@host/x.csv: no"),
        ("https://host/x?sig=abc&part=1", "https://host/x?sig=•••&part=1"),
        ("s3://b/x?X-Amz-Signature=ff&X-Amz-Credential=k/1", None),
        ("given opensesame", "given •••"),
        ("file:///home/mara@work/x.csv", "file:///home/mara@work/x.csv"),
    ],
)
def test_what_is_a_credential_is_masked_wherever_it_stands(text: str, shown: str | None) -> None:
    masked = without_secrets(text, {"DOOR_PASSWORD": "opensesame", "HOUSE": "host"})
    assert masked == (shown or "s3://b/x?X-Amz-Signature=•••&X-Amz-Credential=•••")


def test_a_place_whose_variable_holds_a_credential_is_shown_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP", "s3://mara:hunter2hunter2@127.0.0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:21297")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(SourceError, match=r"s3://•••@127.0.0.1/x.csv: cannot be read") as caught:
        read_source(source(kind="csv", location="$SHOP/x.csv"), JANUARY)
    assert "hunter2" not in str(caught.value)


def test_a_database_is_named_without_its_password(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = source(kind="sql", url_from="SHOP_DB", table="visits")
    nowhere = "postgresql+psycopg2://shop:hunter2hunter2@127.0.0.1:21299/db"
    cases = {
        "": r"\$SHOP_DB is not set",
        nowhere: r"postgresql\+psycopg2://shop:\*\*\*@127.0.0.1:21299/db: visits cannot be read",
        "no url hunter2hunter2": r"\$SHOP_DB is no usable SQLAlchemy URL",
    }
    for url, message in cases.items():
        monkeypatch.setenv("SHOP_DB", url)
        with pytest.raises(SourceError, match=message) as caught:
            read_source(contract, JANUARY)
        assert "hunter2hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_table_or_time_that_is_not_there_is_named(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"no table visit$"):
        read_source(source(kind="sql", url_from="SHOP_DB", table="visit"), JANUARY)
    with sqlite3.connect(database.removeprefix("sqlite:///")) as file:
        file.execute("alter table visits rename column at to moment")
    file.close()
    with pytest.raises(SourceError, match="no column at; the table has moment"):
        read_source(source(kind="sql", url_from="SHOP_DB", table="visits"), JANUARY)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"kind": "python"}, "kind python needs function"),
        ({"kind": "csv", "function": "a:b", "location": "x"}, "csv has no use for function"),
        ({"kind": "sql", "table": "visits"}, "kind sql needs url_from"),
        ({"kind": "sql", "url_from": "DB", "table": "a; drop"}, "String should match"),
        ({"kind": "csv", "location": "s3://key:word@bucket/x.csv"}, "holds a credential"),
    ],
)
def test_a_source_has_the_words_of_its_kind(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(**words)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 endpoint over real HTTP."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "visitskey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-tell-anybody")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.mark.slow
def test_an_object_store_is_read_by_the_same_code(bucket: str, folder: Path) -> None:
    import httpx

    assert httpx.put(f"{bucket}/visits").status_code == 200
    for path in folder.glob("2024-*"):
        assert httpx.put(f"{bucket}/visits/in/{path.name}", content=path.read_bytes())
    wanted = read_source(tiny.contract(), JANUARY)
    for kind, place in (("parquet", "{month}.parquet"), ("csv", "{month}.csv"), ("csv", "")):
        contract = source(kind=kind, location=f"s3://visits/in/{place}")
        pd.testing.assert_frame_equal(read_source(contract, JANUARY), wanted)
    with pytest.raises(SourceError, match=r"s3://visits/in/no.csv: there is no such file"):
        read_source(source(kind="csv", location="s3://visits/in/no.csv"), JANUARY)


@pytest.mark.slow
def test_an_object_store_that_does_not_answer_is_named_without_credentials(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:21298/do-not-tell-anybody")
    with pytest.raises(SourceError, match=r"s3://visits/x.csv: cannot be read") as caught:
        read_source(source(kind="csv", location="s3://visits/x.csv"), JANUARY)
    assert "do-not-tell-anybody" not in str(caught.value)
