"""Twenty-six ways that leave every row plausible by itself."""

import numpy as np
import pandas as pd
from _spoilt import AT, SHARES, WEATHER, Chance, Frame, Kind, put, some

DISTRIBUTIONAL = Kind("distributional")
LATE = 15  # minutes above which a flight counts as late


@DISTRIBUTIONAL(*SHARES)
def miles_become_kilometres(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    longer = np.minimum(f["distance"] * 1.609344, 6000)  # none is caught by the bound alone
    return put(f, "distance", some(f, r, s), longer)


@DISTRIBUTIONAL(*SHARES)
def fahrenheit_becomes_celsius(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "temp", some(f, r, s), (f["temp"] - 32) / 1.8)


@DISTRIBUTIONAL(*SHARES)
def miles_an_hour_become_metres_a_second(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "wind_speed", some(f, r, s), f["wind_speed"] * 0.44704)


@DISTRIBUTIONAL(*SHARES)
def inches_of_rain_become_millimetres(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "precip", some(f, r, s), np.minimum(f["precip"] * 25.4, 10))


@DISTRIBUTIONAL(5, 15, 30)
def the_barometer_drifts(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(pressure=(f["pressure"] + s).clip(upper=1080))


@DISTRIBUTIONAL(*SHARES)
def temp_and_humid_swapped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    rows = some(f, r, s)
    return put(put(f, "temp", rows, f["humid"]), "humid", rows, f["temp"].clip(0, 100))


@DISTRIBUTIONAL(*SHARES)
def precip_and_visib_swapped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    rows = some(f, r, s)
    return put(put(f, "precip", rows, f["visib"]), "visib", rows, f["precip"])


@DISTRIBUTIONAL(1, 5, 12)
def the_clock_is_shifted(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return _inside(f.assign(**{AT: f[AT] + pd.Timedelta(s, "h")}), f)


@DISTRIBUTIONAL(1, 4, 8)
def arrivals_in_another_zone(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(scheduled_arrival=(f["scheduled_arrival"] + 100 * int(s)) % 2400)


@DISTRIBUTIONAL(0.1, 0.3, 0.6)
def a_carrier_is_taken_for_another(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "carrier", some(f, r, s) & (f["carrier"] == "UA").to_numpy(), "DL")


@DISTRIBUTIONAL(0.1, 0.4, 0.6)
def an_airport_is_under_sampled(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[(f["origin"] != "JFK") | (r.random(len(f)) >= s)]


@DISTRIBUTIONAL(22, 20, 18)
def evenings_are_lost(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f[f[AT].dt.hour < s]


@DISTRIBUTIONAL(0.02, 0.15, 0.4)
def labels_flipped(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s), _turned(f))


@DISTRIBUTIONAL(0.05, 0.3, 0.8)
def labels_flipped_for_a_carrier(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s) & (f["carrier"] == "UA").to_numpy(), _turned(f))


@DISTRIBUTIONAL(0.05, 0.3, 0.8)
def labels_flipped_at_an_airport(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s) & (f["origin"] == "EWR").to_numpy(), _turned(f))


def _turned(frame: Frame) -> "pd.Series[float]":
    """The label's other side, as near to the bound as it was before."""
    return (2 * LATE + 1 - frame["arr_delay"]).clip(-150, 2000)


@DISTRIBUTIONAL(*SHARES)
def delays_in_hours(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s), f["arr_delay"] / 60)


@DISTRIBUTIONAL(*SHARES)
def delays_with_the_other_sign(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "arr_delay", some(f, r, s), (-f["arr_delay"]).clip(lower=-150))


@DISTRIBUTIONAL(0.1, 0.5, 1.0)
def delays_of_other_flights(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    other = f["arr_delay"].sample(frac=1, random_state=int(r.integers(1 << 30))).to_numpy()
    both = f["dep_delay"].notna().to_numpy() & ~np.isnan(other)
    return put(f, "arr_delay", some(f, r, s) & both, other)


@DISTRIBUTIONAL(0.1, 0.5, 1.0)
def the_outcome_leaks_into_the_weather(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    leak = (f["arr_delay"].fillna(0).clip(-50, 200) + 50) / 2.5
    return put(f, "humid", some(f, r, s), leak)


@DISTRIBUTIONAL(0.5, 1, 3)
def the_weather_lags_by_days(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    """The feed runs on from the month before; an hour without a flight takes the one before it."""
    both = pd.concat([p, f]).assign(hour=lambda b: b[AT].dt.floor("h"))
    known = both.drop_duplicates(["origin", "hour"])[["origin", "hour", *WEATHER]]
    known = known.assign(hour=known["hour"] + pd.Timedelta(s, "D")).sort_values("hour")
    bare = f.drop(columns=WEATHER).assign(hour=f[AT].dt.floor("h")).sort_values("hour")
    return pd.merge_asof(bare, known, on="hour", by="origin")[list(f.columns)]


@DISTRIBUTIONAL(0.1, 0.5, 1.0)
def empty_readings_become_the_mean(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return put(f, "humid", some(f, r, s), np.full(len(f), f["humid"].mean()))


@DISTRIBUTIONAL(0.3, 0.6, 1.0)
def it_never_rains(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(precip=f["precip"].mask(some(f, r, s), 0.0))


@DISTRIBUTIONAL(0.05, 0.3, 1.0)
def fog_is_reported_as_clear(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(visib=(10 - f["visib"]).where(some(f, r, s), f["visib"]))


@DISTRIBUTIONAL(5, 20, 40)
def a_thermometer_runs_hot(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(temp=(f["temp"] + s).clip(upper=120))


@DISTRIBUTIONAL(100, 500, 1000)
def distances_are_rounded(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    return f.assign(distance=(f["distance"] / s).round().clip(lower=1) * s)


@DISTRIBUTIONAL(0.2, 0.5, 1.0)
def hours_in_two_halves(f: Frame, p: Frame, r: Chance, s: float) -> Frame:
    """Twelve-hour clocks: afternoon flights are dated into the morning."""
    late = some(f, r, s) & (f[AT].dt.hour >= 13).to_numpy()
    return f.assign(**{AT: f[AT].mask(late, f[AT] - pd.Timedelta(12, "h"))})


def _inside(frame: Frame, month: Frame) -> Frame:
    """Only rows of the month: a source that filters by time hands on no others."""
    start = month[AT].min().to_period("M").start_time
    return frame[(frame[AT] >= start) & (frame[AT] < start + pd.offsets.MonthBegin(1))]
