"""Rows from a table or view of any database that SQLAlchemy speaks to."""

import os

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchTableError, SQLAlchemyError

from mlops_pipeline.contract.columns import ColumnType
from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.data.storage import first_line, without_secrets
from mlops_pipeline.data.windows import Window
from mlops_pipeline.errors import SourceError


def read_sql_source(contract: ModelContract, window: Window) -> pd.DataFrame:
    """The rows of the window, in those columns of the contract that the table has.

    Raises:
        SourceError: the variable is not set, the database cannot be reached, or it has no such
            table or event time. Nothing of the URL but its masked form is shown.
    """
    engine = _engine(contract)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            return _rows(contract, connection, window)
    except NoSuchTableError:
        raise SourceError(f"{shown}: no table {contract.source.table}") from None
    except SQLAlchemyError as error:
        what = first_line(getattr(error, "orig", None) or error)
        raise SourceError(f"{shown}: {contract.source.table} cannot be read: {what}") from None
    finally:
        engine.dispose()


def _engine(contract: ModelContract) -> sa.Engine:
    name = contract.source.url_from
    text = os.environ.get(name)
    if not text:
        raise SourceError(
            f"source {contract.source.name}: ${name} is not set; it holds the SQLAlchemy URL"
        )
    try:
        return sa.create_engine(text)
    except (ArgumentError, ModuleNotFoundError) as error:
        what = without_secrets(str(error)).replace(text, f"${name}")
        raise SourceError(f"${name} is no usable SQLAlchemy URL: {what}") from None


def _rows(contract: ModelContract, connection: sa.Connection, window: Window) -> pd.DataFrame:
    schema, _, name = contract.source.table.rpartition(".")
    table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
    if contract.event_time not in table.columns:
        raise SourceError(
            f"{contract.source.table}: no column {contract.event_time}; the table has "
            f"{', '.join(table.columns.keys())}"
        )
    time = table.columns[contract.event_time]
    query = sa.select(*(table.columns[n] for n in contract.column_names if n in table.columns))
    result = connection.execute(query.where(time >= window.start, time < window.end))
    frame = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    for column in contract.columns:
        if column.type is ColumnType.TIME and column.name in frame:
            frame[column.name] = pd.to_datetime(frame[column.name])
    return frame
