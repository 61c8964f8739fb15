"""Thirty-nine ways that break what a row, an identity or a partition is."""

import numpy as np
import pandas as pd
from _spoilt import AT, FEW, WEATHER, Chance, Frame, Kind, put, some

STRUCTURAL = Kind("structural")


@STRUCTURAL(0, 1, 2)
def column_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.drop(columns=["tailnum", "pressure", AT][int(s)])


@STRUCTURAL(0, 1, 2)
def column_added(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    name = ["gate", "air_time", "delay_class"][int(s)]
    return f.assign(**{name: [r.normal(size=len(f)), "a", f["arr_delay"] > 15][int(s)]})


@STRUCTURAL(0, 1, 2)
def column_renamed(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    old = ["visib", "distance", "carrier"][int(s)]
    return f.rename(columns={old: old.upper()})


@STRUCTURAL(*FEW)
def ids_become_text_with_zeros(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    text = f["flight"].map("{:04d}".format)
    return f.assign(flight=np.where(some(f, r, s), text, f["flight"].astype(object)))


@STRUCTURAL(*FEW)
def numbers_become_text(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    text = f["distance"].map("{:,.0f}".format)
    return f.assign(distance=np.where(some(f, r, s), text, f["distance"].astype(object)))


@STRUCTURAL(*FEW)
def ids_become_fractions(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "flight", some(f, r, s), f["flight"] + 0.5)


@STRUCTURAL(0, 1, 2)
def numbers_become_flags(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    name = ["precip", "distance", "flight"][int(s)]
    return f.assign(**{name: f[name] > f[name].median()})


@STRUCTURAL(*FEW)
def infinite_values(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "temp", some(f, r, s), np.full(len(f), np.inf))


@STRUCTURAL(*FEW)
def keys_are_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(carrier=f["carrier"].where(~some(f, r, s), None))


@STRUCTURAL(*FEW)
def numbers_are_nan_that_may_not(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "distance", some(f, r, s), np.full(len(f), np.nan))


@STRUCTURAL(0.1, 0.3, 0.6)
def weather_goes_silent(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    lost = np.tile(some(f, r, s)[:, None], len(WEATHER))
    return f.assign(**{n: f[n].mask(lost[:, i]) for i, n in enumerate(WEATHER)})


@STRUCTURAL(0.2, 0.5, 1.0)
def outcomes_are_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s), np.full(len(f), np.nan))


@STRUCTURAL(*FEW)
def rows_twice(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return pd.concat([f, f[some(f, r, s)]], ignore_index=True)


@STRUCTURAL(*FEW)
def a_join_fans_out(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    again = f[some(f, r, s)]
    return pd.concat([f, again.assign(temp=again["temp"] + 1, humid=50.0)], ignore_index=True)


@STRUCTURAL(2, 5, 15)
def the_month_ends_early(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT] < f[AT].max().normalize() - pd.Timedelta(s - 1, "D")]


@STRUCTURAL(2, 5, 15)
def the_month_begins_late(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT] >= f[AT].min().normalize() + pd.Timedelta(s, "D")]


@STRUCTURAL(2, 4, 10)
def days_in_the_middle_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    day = f[AT].dt.day
    return f[(day < 10) | (day >= 10 + s)]


@STRUCTURAL(0.05, 0.3, 1.0)
def the_month_before_again(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    stale = _moved(p, f)
    drop = f[r.random(len(f)) >= s]
    return pd.concat([drop, stale[r.random(len(stale)) < s]], ignore_index=True).drop_duplicates(
        ["carrier", "flight", "origin", AT]
    )


@STRUCTURAL(0.05, 0.2, 1.0)
def the_month_before_added(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    stale = _moved(p, f)
    both = pd.concat([f, stale[r.random(len(stale)) < s]], ignore_index=True)
    return both.drop_duplicates(["carrier", "flight", "origin", AT])


@STRUCTURAL(0.95, 0.999, 1.0)
def the_partition_is_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[r.random(len(f)) >= s]


@STRUCTURAL(0.35, 0.6, 0.9)
def rows_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[r.random(len(f)) >= s]


@STRUCTURAL(0.4, 1.0, 3.0)
def far_too_many_rows(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    copies = [f, *(f for _ in range(int(np.ceil(s))))]
    more = pd.concat(copies, ignore_index=True).iloc[: int(len(f) * (1 + s))]
    number = np.arange(len(more)) // len(f)
    return more.assign(flight=(more["flight"] + 3000 * number) % 9999 + 1)


@STRUCTURAL(*FEW)
def a_category_is_misspelt(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "carrier", some(f, r, s) & (f["carrier"] == "UA").to_numpy(), "U A")


@STRUCTURAL(*FEW)
def a_category_in_lower_case(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "origin", some(f, r, s), f["origin"].str.lower())


@STRUCTURAL(*FEW)
def a_category_with_a_space(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "origin", some(f, r, s), f["origin"] + " ")


@STRUCTURAL(*FEW)
def another_encoding(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    damaged = f["dest"].str[:2] + "Ã¶"
    return put(f, "dest", some(f, r, s), damaged)


@STRUCTURAL(*FEW)
def texts_are_cut(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "dest", some(f, r, s), f["dest"].str[:2])


@STRUCTURAL(*FEW)
def a_new_category(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "origin", some(f, r, s), "HPN")


@STRUCTURAL(*FEW)
def a_sign_is_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "distance", some(f, r, s), -f["distance"])


@STRUCTURAL(*FEW)
def a_number_stands_for_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "temp", some(f, r, s), np.full(len(f), -999.0))


@STRUCTURAL(*FEW)
def zero_stands_for_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "pressure", some(f, r, s), np.zeros(len(f)))


@STRUCTURAL(*FEW)
def the_wind_of_newark(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "wind_speed", some(f, r, s), np.full(len(f), 1048.36))


@STRUCTURAL(0, 1, 2)
def times_with_a_zone(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    zone = ["UTC", "Etc/GMT+5", "Asia/Tokyo"][int(s)]
    return f.assign(**{AT: f[AT].dt.tz_localize(zone)})


@STRUCTURAL(*FEW)
def times_as_text(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(**{AT: np.where(some(f, r, s), f[AT].astype(str), f[AT].astype(object))})


@STRUCTURAL(*FEW)
def rows_of_the_future(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(**{AT: f[AT].mask(some(f, r, s), f[AT] + pd.Timedelta(400, "D"))})


@STRUCTURAL(0, 1, 2)
def a_column_stands_still(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    name = ["humid", "scheduled_arrival", "carrier"][int(s)]
    return f.assign(**{name: f[name].iloc[0]})


@STRUCTURAL(*FEW)
def minutes_above_sixty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    time = f["scheduled_arrival"]
    return put(f, "scheduled_arrival", some(f, r, s), time // 100 * 100 + 60 + time % 40)


@STRUCTURAL(*FEW)
def arrived_without_leaving(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "dep_delay", some(f, r, s), np.full(len(f), np.nan))


@STRUCTURAL(*FEW)
def flies_to_where_it_stands(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "dest", some(f, r, s) & (f["origin"] == "LGA").to_numpy(), "LGA")


def _moved(prior: Frame, frame: Frame) -> Frame:
    """The month before, dated into this month."""
    start = frame[AT].min().to_period("M").start_time
    before = prior[AT].min().to_period("M").start_time
    moved = prior.assign(**{AT: prior[AT] - before + start})
    return moved[moved[AT] < start + pd.offsets.MonthBegin(1)]
