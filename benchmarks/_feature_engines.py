"""The four history features of the shipped contract by hand: DuckDB, Polars, plain pandas.

Each reads the same Parquet parts, makes every row's features, and gives how many rows there were
and the sum of all features. A row counts the days `days + DELAY` to `1 + DELAY` before its own.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

AT = "scheduled_departure"
PRIOR = 50
DELAY = 1  # days, for the label's 24 hours
KEYS = ((("carrier",), 28), (("dest",), 28), (("origin", "hour"), 28), (("carrier", "origin"), 7))
THREADS = 2


def duckdb_query(files: list[Path]) -> Iterator[str]:
    """Statements by hand: read once, count by key and day, one rate a key and day, join back."""
    listed = ", ".join(f"'{file}'" for file in files)
    yield f"""create temp table r as select carrier, origin, dest, hour({AT})::tinyint as hour,
        cast({AT} as date) as d, arr_delay is not null as n, coalesce(arr_delay > 15, false) as p
        from read_parquet([{listed}])"""
    ctes, columns, joins = [], [], []
    for index, (keys, days) in enumerate(KEYS):
        names, counted = ", ".join(keys), "count(*) filter (n) as n, count(*) filter (p) as p"
        ctes += [
            f"""o{index} as (select d, sum(p) over w / sum(n) over w as rate from
            (select d, {counted} from r group by d) window w as ({_range(days)}))""",
            f"c{index} as (select {names}, d, {counted} from r group by {names}, d)",
            f"""s{index} as (select {names}, d, coalesce(sum(n) over w, 0) as n,
            coalesce(sum(p) over w, 0) as p from c{index}
            window w as (partition by {names} {_range(days)}))""",
            f"""w{index} as (select s{index}.*, case when n > 0
            then (p + {PRIOR} * rate) / (n + {PRIOR}) else rate end as f
            from s{index} join o{index} using (d))""",
        ]
        columns.append(f"w{index}.f as f{index}")
        on = " and ".join(f"r.{key} = w{index}.{key}" for key in (*keys, "d"))
        joins.append(f"left join w{index} on {on}")
    yield f"""create temp table f as with {", ".join(ctes)}
        select {", ".join(columns)} from r {" ".join(joins)}"""


def _range(days: int) -> str:
    return (
        f"order by d range between interval {days + DELAY} day preceding "
        f"and interval {1 + DELAY} day preceding"
    )


def duck(files: list[Path]) -> tuple[int, float]:
    """DuckDB, in memory."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {THREADS}; set preserve_insertion_order = false")
    for statement in duckdb_query(files):
        connection.execute(statement)
    total = " + ".join(f"sum(f{index})" for index in range(len(KEYS)))
    ((rows, found),) = connection.execute(f"select count(*), {total} from f").fetchall()
    return int(rows), float(found)


def polar(files: list[Path]) -> tuple[int, float]:
    """Polars, its threads set by the environment: streaming, texts as categories, four joins."""
    import polars as pl

    read = pl.scan_parquet(files).select(
        pl.col("carrier", "origin", "dest").cast(pl.Categorical),
        pl.col(AT).dt.hour().alias("hour"),
        pl.col(AT).dt.date().alias("d"),
        pl.col("arr_delay").is_not_null().cast(pl.Int64).alias("n"),
        (pl.col("arr_delay") > 15).fill_null(False).cast(pl.Int64).alias("p"),
    )
    rows = read.collect(engine="streaming").lazy()

    def summed(keys: tuple[str, ...], days: int) -> pl.LazyFrame:
        daily = rows.group_by(*keys, "d").agg(pl.col("n", "p").sum()).sort(*keys, "d")
        spans = daily.rolling(
            "d", period=f"{days}d", offset=f"-{days + DELAY + 1}d", group_by=list(keys) or None
        )
        return spans.agg(pl.col("n", "p").sum())

    made = rows.drop("n", "p")
    for index, (keys, days) in enumerate(KEYS):
        rate, n, p = pl.col("p_all") / pl.col("n_all"), pl.col("n"), pl.col("p")
        smooth = pl.when(n > 0).then((p + PRIOR * rate) / (n + PRIOR)).otherwise(rate)
        own = summed(keys, days).join(summed((), days), on="d", suffix="_all")
        own = own.select(*keys, "d", smooth.alias(f"f{index}"))
        made = made.join(own, on=[*keys, "d"], how="left")
    found = made.select(f"f{index}" for index in range(len(KEYS))).collect(engine="streaming")
    return len(found), sum(float(column.fill_nan(0).sum()) for column in found)


def plain(files: list[Path]) -> tuple[int, float]:
    """Pandas as one would write it: group by key and day, roll over days, merge back."""
    wanted = ["carrier", "origin", "dest", AT, "arr_delay"]
    frame = pd.concat([pd.read_parquet(file, columns=wanted) for file in files])
    frame["hour"] = frame[AT].dt.hour
    frame["d"] = frame[AT].dt.normalize()
    frame["n"] = frame["arr_delay"].notna().astype(float)
    frame["p"] = (frame["arr_delay"] > 15).astype(float)
    total = 0.0
    for keys, days in KEYS:
        levels = list(range(len(keys)))
        overall = _rolled(frame.groupby("d")[["n", "p"]].sum(), days)
        daily = frame.groupby([*keys, "d"])[["n", "p"]].sum()
        own = daily.groupby(list(keys), group_keys=True)[["n", "p"]].apply(
            lambda group, days=days, levels=levels: _rolled(
                group.reset_index(level=levels, drop=True), days
            )
        )
        joined = frame[[*keys, "d"]].merge(own.reset_index(), on=[*keys, "d"], how="left")
        joined = joined.merge(overall.reset_index(), on="d", how="left", suffixes=("", "_all"))
        rate = joined["p_all"] / joined["n_all"]
        smooth = (joined["p"] + PRIOR * rate) / (joined["n"] + PRIOR)
        total += float(np.nansum(np.where(joined["n"] > 0, smooth, rate)))
    return len(frame), total


def _rolled(daily: pd.DataFrame, days: int) -> pd.DataFrame:
    """Sums over the days before, on every day of the group."""
    every = daily.reindex(pd.date_range(daily.index.min(), daily.index.max()), fill_value=0.0)
    rolled = every.rolling(days, min_periods=1).sum().shift(1 + DELAY)
    return rolled.reindex(daily.index).rename_axis("d")
