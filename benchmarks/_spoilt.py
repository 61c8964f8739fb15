"""Sixty-four ways in which a month of flights can go wrong, each at three severities.

Structural ones break what a row, an identity or a partition is; distributional ones leave every row
plausible by itself. `prior` is the clean month before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Frame = pd.DataFrame
Chance = np.random.Generator
Spoil = Callable[[Frame, Frame, Chance, float], Frame]

AT = "scheduled_departure"
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
LATE = 15  # minutes above which a flight counts as late


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to go wrong; `levels` are what the three severities mean to it."""

    name: str
    kind: str  # structural | distributional
    levels: tuple[float, float, float]
    spoil: Spoil


CORRUPTIONS: list[Corruption] = []
SHARES = (0.01, 0.1, 1.0)
FEW = (0.001, 0.01, 0.1)


def corruption(kind: str, low: float, middle: float, high: float) -> Callable[[Spoil], Spoil]:
    """The function is one more corruption, by its own name."""

    def add(spoil: Spoil) -> Spoil:
        name = spoil.__name__.lstrip("_")
        CORRUPTIONS.append(Corruption(name, kind, (low, middle, high), spoil))
        return spoil

    return add


def _some(frame: Frame, chance: Chance, share: float) -> np.ndarray:
    chosen = chance.random(len(frame)) < share
    chosen[int(chance.integers(len(frame)))] = True
    return chosen


def _put(frame: Frame, column: str, rows: np.ndarray, values: object) -> Frame:
    old = frame[column]
    new = (
        values
        if isinstance(values, pd.Series | np.ndarray)
        else pd.Series(
            [values] * len(frame),
            index=frame.index,
            dtype=object if isinstance(values, str) else None,
        )
    )
    return frame.assign(**{column: np.where(rows, new, old)})


def _moved(prior: Frame, frame: Frame) -> Frame:
    """The month before, dated into this month."""
    start = frame[AT].min().to_period("M").start_time
    before = prior[AT].min().to_period("M").start_time
    moved = prior.assign(**{AT: prior[AT] - before + start})
    return moved[moved[AT] < start + pd.offsets.MonthBegin(1)]


def _inside(frame: Frame, month: Frame) -> Frame:
    """Only rows of the month: a source that filters by time hands on no others."""
    start = month[AT].min().to_period("M").start_time
    return frame[(frame[AT] >= start) & (frame[AT] < start + pd.offsets.MonthBegin(1))]


# --- structural -----------------------------------------------------------------------------------


@corruption("structural", 0, 1, 2)
def column_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.drop(columns=["tailnum", "pressure", AT][int(s)])


@corruption("structural", 0, 1, 2)
def column_renamed(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    old = ["visib", "distance", "carrier"][int(s)]
    return f.rename(columns={old: old.upper()})


@corruption("structural", *FEW)
def ids_become_text_with_zeros(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    text = f["flight"].map("{:04d}".format)
    return f.assign(flight=np.where(_some(f, r, s), text, f["flight"].astype(object)))


@corruption("structural", *FEW)
def numbers_become_text(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    text = f["distance"].map("{:,.0f}".format)
    return f.assign(distance=np.where(_some(f, r, s), text, f["distance"].astype(object)))


@corruption("structural", *FEW)
def ids_become_fractions(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "flight", _some(f, r, s), f["flight"] + 0.5)


@corruption("structural", 0, 1, 2)
def numbers_become_flags(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    name = ["precip", "distance", "flight"][int(s)]
    return f.assign(**{name: f[name] > f[name].median()})


@corruption("structural", *FEW)
def infinite_values(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "temp", _some(f, r, s), np.full(len(f), np.inf))


@corruption("structural", *FEW)
def keys_are_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(carrier=f["carrier"].where(~_some(f, r, s), None))


@corruption("structural", *FEW)
def numbers_are_nan_that_may_not(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "distance", _some(f, r, s), np.full(len(f), np.nan))


@corruption("structural", 0.1, 0.3, 0.6)
def weather_goes_silent(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    lost = np.tile(_some(f, r, s)[:, None], len(WEATHER))
    return f.assign(**{n: f[n].mask(lost[:, i]) for i, n in enumerate(WEATHER)})


@corruption("structural", 0.2, 0.5, 1.0)
def outcomes_are_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s), np.full(len(f), np.nan))


@corruption("structural", *FEW)
def rows_twice(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return pd.concat([f, f[_some(f, r, s)]], ignore_index=True)


@corruption("structural", *FEW)
def a_join_fans_out(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    again = f[_some(f, r, s)]
    return pd.concat([f, again.assign(temp=again["temp"] + 1, humid=50.0)], ignore_index=True)


@corruption("structural", 2, 5, 15)
def the_month_ends_early(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT] < f[AT].max().normalize() - pd.Timedelta(s - 1, "D")]


@corruption("structural", 2, 5, 15)
def the_month_begins_late(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT] >= f[AT].min().normalize() + pd.Timedelta(s, "D")]


@corruption("structural", 2, 4, 10)
def days_in_the_middle_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    day = f[AT].dt.day
    return f[(day < 10) | (day >= 10 + s)]


@corruption("structural", 0.05, 0.3, 1.0)
def the_month_before_again(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    stale = _moved(p, f)
    drop = f[r.random(len(f)) >= s]
    return pd.concat([drop, stale[r.random(len(stale)) < s]], ignore_index=True).drop_duplicates(
        ["carrier", "flight", "origin", AT]
    )


@corruption("structural", 0.05, 0.2, 1.0)
def the_month_before_added(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    stale = _moved(p, f)
    both = pd.concat([f, stale[r.random(len(stale)) < s]], ignore_index=True)
    return both.drop_duplicates(["carrier", "flight", "origin", AT])


@corruption("structural", 0.95, 0.999, 1.0)
def the_partition_is_empty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[r.random(len(f)) >= s]


@corruption("structural", 0.35, 0.6, 0.9)
def rows_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[r.random(len(f)) >= s]


@corruption("structural", 0.4, 1.0, 3.0)
def far_too_many_rows(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    copies = [f, *(f for _ in range(int(np.ceil(s))))]
    more = pd.concat(copies, ignore_index=True).iloc[: int(len(f) * (1 + s))]
    number = np.arange(len(more)) // len(f)
    return more.assign(flight=(more["flight"] + 3000 * number) % 9999 + 1)


@corruption("structural", *FEW)
def a_category_is_misspelt(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "carrier", _some(f, r, s) & (f["carrier"] == "UA").to_numpy(), "U A")


@corruption("structural", *FEW)
def a_category_in_lower_case(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "origin", _some(f, r, s), f["origin"].str.lower())


@corruption("structural", *FEW)
def a_category_with_a_space(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "origin", _some(f, r, s), f["origin"] + " ")


@corruption("structural", *FEW)
def another_encoding(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    damaged = f["dest"].str[:2] + "Ã¶"
    return _put(f, "dest", _some(f, r, s), damaged)


@corruption("structural", *FEW)
def texts_are_cut(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "dest", _some(f, r, s), f["dest"].str[:2])


@corruption("structural", *FEW)
def a_new_category(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "origin", _some(f, r, s), "HPN")


@corruption("structural", *FEW)
def a_sign_is_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "distance", _some(f, r, s), -f["distance"])


@corruption("structural", *FEW)
def a_number_stands_for_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "temp", _some(f, r, s), np.full(len(f), -999.0))


@corruption("structural", *FEW)
def zero_stands_for_missing(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "pressure", _some(f, r, s), np.zeros(len(f)))


@corruption("structural", *FEW)
def the_wind_of_newark(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "wind_speed", _some(f, r, s), np.full(len(f), 1048.36))


@corruption("structural", 0, 1, 2)
def times_with_a_zone(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    zone = ["UTC", "Etc/GMT+5", "Asia/Tokyo"][int(s)]
    return f.assign(**{AT: f[AT].dt.tz_localize(zone)})


@corruption("structural", *FEW)
def times_as_text(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(**{AT: np.where(_some(f, r, s), f[AT].astype(str), f[AT].astype(object))})


@corruption("structural", *FEW)
def rows_of_the_future(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(**{AT: f[AT].mask(_some(f, r, s), f[AT] + pd.Timedelta(400, "D"))})


@corruption("structural", 0, 1, 2)
def a_column_stands_still(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    name = ["humid", "scheduled_arrival", "carrier"][int(s)]
    return f.assign(**{name: f[name].iloc[0]})


@corruption("structural", *FEW)
def minutes_above_sixty(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    time = f["scheduled_arrival"]
    return _put(f, "scheduled_arrival", _some(f, r, s), time // 100 * 100 + 60 + time % 40)


@corruption("structural", *FEW)
def arrived_without_leaving(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "dep_delay", _some(f, r, s), np.full(len(f), np.nan))


@corruption("structural", *FEW)
def flies_to_where_it_stands(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "dest", _some(f, r, s) & (f["origin"] == "LGA").to_numpy(), "LGA")


# --- distributional -------------------------------------------------------------------------------


@corruption("distributional", *SHARES)
def miles_become_kilometres(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    longer = np.minimum(f["distance"] * 1.609344, 6000)  # none is caught by the bound alone
    return _put(f, "distance", _some(f, r, s), longer)


@corruption("distributional", *SHARES)
def fahrenheit_becomes_celsius(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "temp", _some(f, r, s), (f["temp"] - 32) / 1.8)


@corruption("distributional", *SHARES)
def miles_an_hour_become_metres_a_second(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "wind_speed", _some(f, r, s), f["wind_speed"] * 0.44704)


@corruption("distributional", *SHARES)
def inches_of_rain_become_millimetres(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "precip", _some(f, r, s), np.minimum(f["precip"] * 25.4, 10))


@corruption("distributional", 5, 15, 30)
def the_barometer_drifts(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(pressure=(f["pressure"] + s).clip(upper=1080))


@corruption("distributional", *SHARES)
def temp_and_humid_swapped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    rows = _some(f, r, s)
    return _put(_put(f, "temp", rows, f["humid"]), "humid", rows, f["temp"].clip(0, 100))


@corruption("distributional", *SHARES)
def precip_and_visib_swapped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    rows = _some(f, r, s)
    return _put(_put(f, "precip", rows, f["visib"]), "visib", rows, f["precip"])


@corruption("distributional", 1, 5, 12)
def the_clock_is_shifted(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _inside(f.assign(**{AT: f[AT] + pd.Timedelta(s, "h")}), f)


@corruption("distributional", 1, 4, 8)
def arrivals_in_another_zone(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(scheduled_arrival=(f["scheduled_arrival"] + 100 * int(s)) % 2400)


@corruption("distributional", 0.1, 0.3, 0.6)
def a_carrier_is_taken_for_another(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "carrier", _some(f, r, s) & (f["carrier"] == "UA").to_numpy(), "DL")


@corruption("distributional", 0.1, 0.4, 0.6)
def an_airport_is_under_sampled(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[(f["origin"] != "JFK") | (r.random(len(f)) >= s)]


@corruption("distributional", 22, 20, 18)
def evenings_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT].dt.hour < s]


@corruption("distributional", 0.02, 0.15, 0.4)
def labels_flipped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s), _turned(f))


@corruption("distributional", 0.05, 0.3, 0.8)
def labels_flipped_for_a_carrier(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s) & (f["carrier"] == "UA").to_numpy(), _turned(f))


@corruption("distributional", 0.05, 0.3, 0.8)
def labels_flipped_at_an_airport(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s) & (f["origin"] == "EWR").to_numpy(), _turned(f))


def _turned(frame: Frame) -> "pd.Series[float]":
    """The label's other side, as near to the bound as it was before."""
    return (2 * LATE + 1 - frame["arr_delay"]).clip(-150, 2000)


@corruption("distributional", *SHARES)
def delays_in_hours(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s), f["arr_delay"] / 60)


@corruption("distributional", *SHARES)
def delays_with_the_other_sign(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "arr_delay", _some(f, r, s), (-f["arr_delay"]).clip(lower=-150))


@corruption("distributional", 0.1, 0.5, 1.0)
def delays_of_other_flights(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    other = f["arr_delay"].sample(frac=1, random_state=int(r.integers(1 << 30))).to_numpy()
    both = f["dep_delay"].notna().to_numpy() & ~np.isnan(other)
    return _put(f, "arr_delay", _some(f, r, s) & both, other)


@corruption("distributional", 0.1, 0.5, 1.0)
def the_outcome_leaks_into_the_weather(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    leak = (f["arr_delay"].fillna(0).clip(-50, 200) + 50) / 2.5
    return _put(f, "humid", _some(f, r, s), leak)


@corruption("distributional", 0.5, 1, 3)
def the_weather_lags_by_days(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    """The feed runs on from the month before; an hour without a flight takes the one before it."""
    both = pd.concat([p, f]).assign(hour=lambda b: b[AT].dt.floor("h"))
    known = both.drop_duplicates(["origin", "hour"])[["origin", "hour", *WEATHER]]
    known = known.assign(hour=known["hour"] + pd.Timedelta(s, "D")).sort_values("hour")
    bare = f.drop(columns=WEATHER).assign(hour=f[AT].dt.floor("h")).sort_values("hour")
    return pd.merge_asof(bare, known, on="hour", by="origin")[list(f.columns)]


@corruption("distributional", 0.1, 0.5, 1.0)
def empty_readings_become_the_mean(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _put(f, "humid", _some(f, r, s), np.full(len(f), f["humid"].mean()))


@corruption("distributional", 0.3, 0.6, 1.0)
def it_never_rains(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(precip=f["precip"].mask(_some(f, r, s), 0.0))


@corruption("distributional", 0.05, 0.3, 1.0)
def fog_is_reported_as_clear(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(visib=(10 - f["visib"]).where(_some(f, r, s), f["visib"]))


@corruption("distributional", 5, 20, 40)
def a_thermometer_runs_hot(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(temp=(f["temp"] + s).clip(upper=120))


@corruption("distributional", 100, 500, 1000)
def distances_are_rounded(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(distance=(f["distance"] / s).round().clip(lower=1) * s)


@corruption("distributional", 0.2, 0.5, 1.0)
def hours_in_two_halves(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    """Twelve-hour clocks: afternoon flights are dated into the morning."""
    late = _some(f, r, s) & (f[AT].dt.hour >= 13).to_numpy()
    return f.assign(**{AT: f[AT].mask(late, f[AT] - pd.Timedelta(12, "h"))})
