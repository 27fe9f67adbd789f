"""Makes demo/profiles.csv, the hourly year behind `granary demo`.

Row r (from 0, after the header) is hour r of a year of 365 days, UTC, from 1 January at 00:00. Each column is one
profile in whole per mille: of a device's capacity, of a consumer's peak, or of a battery's power (charge negative,
discharge positive). What was measured and what is modelled stands in PROVENANCE.md, the licences in NOTICES.md.

How to run it (CPython 3.11 or 3.12; the inputs are files inside the installed packages, nothing else is read):

    python3 -m venv venv
    venv/bin/pip install numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 h5py==3.16.0 pvlib==0.16.1
    venv/bin/pip install --no-deps citylearn==2.1.2
    venv/bin/python demo/make_profiles.py            # writes demo/profiles.csv
    venv/bin/python demo/make_profiles.py --check    # writes nothing, fails if the file differs

All randomness is seeded; the same versions give the same bytes. The result is validated before it is written.
"""

import argparse
import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
from scipy.special import ndtr, ndtri

OUTPUT = Path(__file__).with_name("profiles.csv")
OUTPUT_BYTES_MAX = 400_000
DAYS = 365
HOURS = DAYS * 24
STEPS_PER_HOUR = 6  # solar is computed every ten minutes and averaged
YEAR = 2026  # the year whose weekdays and clock changes the profiles follow
CLOCK = pd.date_range(f"{YEAR}-01-01", periods=HOURS, freq="h", tz="UTC")
DAY_OF_YEAR = np.arange(HOURS) // 24
HOUR_OF_DAY = np.arange(HOURS) % 24

# The weather station runs on UTC-9 at 160.5 degrees west: its clock is 1.7 hours ahead of the sun.
STATION_HOURS_AHEAD_OF_SUN = 2

BATTERY_ENERGY = 2_000  # per mille-hours: a two-hour battery
BATTERY_EFFICIENCY_ONE_WAY = 0.94  # 0.8836 there and back

# Bounds that the finished columns must keep: lowest and highest yearly mean, per mille.
MEAN_BOUNDS = {
    "wind_offshore": (390, 430),
    "wind_onshore": (260, 280),
    "wind_onshore_north": (290, 310),
    "solar_south": (108, 118),
    "solar_east": (100, 110),
    "hydro": (340, 360),
    "biomass": (580, 620),
    "nuclear": (780, 820),
    "battery": (-40, -5),
    "load_retail": (350, 650),
    "load_factory": (350, 650),
}


# --- Inputs -----------------------------------------------------------------------------------------------------------


def package_folder(name):
    """The folder of an installed package, without importing it."""
    return Path(next(iter(importlib.util.find_spec(name).submodule_search_locations)))


def station_weather():
    """Wind speed (m/s) and clearness (share of the clear sky's radiation) at Sand Point, by solar hour of the year."""
    weather, site = pvlib.iotools.read_tmy3(
        package_folder("pvlib") / "data" / "703165TY.csv", coerce_year=YEAR, map_variables=True
    )
    assert len(weather) == HOURS
    middle = weather.index - pd.Timedelta(minutes=30)  # rows are stamped with the end of their hour
    location = pvlib.location.Location(site["latitude"], site["longitude"], altitude=site["altitude"])
    clear = location.get_clearsky(middle, model="ineichen")["ghi"].to_numpy()
    elevation = location.get_solarposition(middle)["elevation"].to_numpy()
    clearness = np.where(elevation > 6, weather["ghi"].to_numpy() / np.maximum(clear, 1), np.nan)
    clearness = pd.Series(clearness).interpolate(limit_direction="both").clip(0.02, 1.1).to_numpy()
    to_solar = -STATION_HOURS_AHEAD_OF_SUN
    return np.roll(weather["wind_speed"].to_numpy(), to_solar), np.roll(clearness, to_solar)


def metered_households():
    """Mean demand of the metered homes, kWh per hour of standard time from Monday 1 August 2016, 364 days."""
    folder = package_folder("citylearn") / "data" / "citylearn_challenge_2022_phase_all"
    homes = [
        pd.read_csv(folder / f"Building_{number}.csv")["Equipment Electric Power [kWh]"].to_numpy()
        for number in range(1, 18)
    ]
    # Homes whose meter reads zero for hundreds of hours saw their own panels, not their whole demand.
    homes = [home for home in homes if np.count_nonzero(home < 0.001) < 400]
    assert len(homes) == 13
    return np.mean(homes, axis=0)[1 : 1 + 364 * 24]  # row 0 is the last hour of July


# --- Series that are drawn, not measured ---------------------------------------------------------------------


def wander(seed, memory_hours, length=HOURS):
    """A stationary Gaussian series of mean 0 and deviation 1 whose correlation fades by 1/e in `memory_hours`."""
    keep = np.exp(-1 / memory_hours)
    shocks = np.random.default_rng(seed).standard_normal(length + 1_000) * np.sqrt(1 - keep**2)
    series = np.empty(length + 1_000)
    value = 0.0
    for i, shock in enumerate(shocks):
        value = keep * value + shock
        series[i] = value
    return series[1_000:]


def spread(values, hours):
    """A centred moving mean over the year, taken as a circle."""
    window = np.ones(hours) / hours
    half = hours // 2
    circle = np.concatenate([values[-half:], values, values[: hours - 1 - half]])
    return np.convolve(circle, window, mode="valid")


def normal_scores(values, seed):
    """The values' ranks as a standard normal series; ties are broken by a seeded draw."""
    tie_break = np.random.default_rng(seed).random(len(values)) * 1e-3
    ranks = np.argsort(np.argsort(values + tie_break))
    return ndtri((ranks + 0.5) / len(values))


def tuned(low, high, target, mean_of):
    """The argument between `low` and `high` at which the rising function `mean_of` reaches `target`."""
    for _ in range(40):
        middle = (low + high) / 2
        if mean_of(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# --- Profiles ---------------------------------------------------------------------------------------------------------


def power_curve(rated_speed):
    """Wind speeds (m/s) and the share of capacity that a farm of modelled turbines makes of them.

    Cubic from 3 m/s to the rated speed, off at 25 m/s; then blurred by gusts and by the turbines' distances, and less
    what wakes, cables and repairs take.
    """
    speeds = np.arange(0, 40, 0.1)
    turbine = np.clip((speeds**3 - 27) / (rated_speed**3 - 27), 0, 1) * (speeds < 25)
    blur = np.exp(-0.5 * ((speeds[:, None] - speeds) / np.maximum(0.12 * speeds[:, None], 0.3)) ** 2)
    return speeds, 0.965 * (blur @ turbine) / blur.sum(axis=1)


def wind_profile(scores, rated_speed, shape, lag_hours, area_hours, likeness, mean, seed):
    """Output of a wind farm: measured timing, a Weibull distribution of wind speeds, a modelled power curve.

    The farm shares `likeness` of the station's weather, `lag_hours` later; the rest wanders by itself.
    """
    own = wander(seed, memory_hours=14)
    mixed = likeness * np.roll(scores, lag_hours) + np.sqrt(1 - likeness**2) * own
    mixed = spread(mixed, area_hours)
    quantile = ndtr((mixed - mixed.mean()) / mixed.std())
    speed, power = power_curve(rated_speed)

    def output(scale):
        speeds = scale * (-np.log1p(-quantile)) ** (1 / shape)
        return np.interp(speeds, speed, power)

    return output(tuned(4.0, 14.0, mean, lambda scale: output(scale).mean()))


def solar_profile(clearness, latitude, longitude, tilt, azimuth, lag_hours, seed, mean):
    """Output of a solar park: the sun and clear sky of its place, thinned by the station's measured clearness."""
    step = pd.Timedelta(minutes=60 // STEPS_PER_HOUR)
    times = pd.date_range(CLOCK[0] + step / 2, periods=HOURS * STEPS_PER_HOUR, freq=step)
    place = pvlib.location.Location(latitude, longitude, altitude=50)
    sun = place.get_solarposition(times)
    clear = place.get_clearsky(times, model="ineichen", solar_position=sun)["ghi"].to_numpy()
    up = sun["apparent_elevation"].to_numpy() > 0
    extra = pvlib.irradiance.get_extra_radiation(times)

    local = np.clip(np.roll(clearness, lag_hours) * np.exp(0.22 * wander(seed, memory_hours=3)), 0.03, 1.08)
    position = (np.arange(len(times)) + 0.5) / STEPS_PER_HOUR - 0.5
    fine = np.interp(position, np.arange(HOURS), local)
    air = 10.5 - 6.5 * np.cos(2 * np.pi * (times.day_of_year.to_numpy() - 25) / DAYS)  # degrees Celsius, modelled

    def output(clarity):
        ghi = clear * np.clip(fine, 0, 1.08) ** (1 / clarity)
        parts = pvlib.irradiance.erbs(ghi, sun["zenith"], times)
        plane = (
            pvlib.irradiance.get_total_irradiance(
                tilt,
                azimuth,
                sun["apparent_zenith"],
                sun["azimuth"],
                dni=parts["dni"],
                ghi=ghi,
                dhi=parts["dhi"],
                dni_extra=extra,
                model="haydavies",
            )["poa_global"]
            .fillna(0)
            .to_numpy()
        )
        plane = np.where(up, plane, 0)
        cell = air + plane / 800 * 22
        # 1.2 W of panels behind each watt of grid connection, 12 % lost on the way.
        power = 1.2 * 0.88 * plane / 1000 * (1 - 0.0037 * (cell - 25))
        return np.clip(power, 0, 1).reshape(HOURS, STEPS_PER_HOUR).mean(axis=1)

    profile = output(tuned(0.4, 4.0, mean, lambda clarity: output(clarity).mean()))
    night = ~up.reshape(HOURS, STEPS_PER_HOUR).any(axis=1)
    return np.where(night, 0, profile), night


def hydro_profile(scores):
    """Modelled: showers that follow the season and the wind fill a fast and a slow store that feed the river."""
    draw = np.random.default_rng(401)
    season = 1 + 0.55 * np.cos(2 * np.pi * (np.arange(DAYS) - 5) / DAYS)
    stormy = np.exp(0.7 * scores.reshape(DAYS, 24).mean(axis=1))
    rain = draw.gamma(0.45, 1.0, DAYS) * season * stormy
    hourly = np.repeat(rain / 24, 24) * draw.gamma(1.5, 1 / 1.5, HOURS)
    fast = slow = hourly.mean()
    flow = np.empty(2 * HOURS)
    for i, wet in enumerate(np.concatenate([hourly, hourly])):  # the first year only fills the stores
        fast += 0.6 * wet - fast / 40
        slow += 0.4 * wet - slow / 700
        flow[i] = fast / 40 + slow / 700
    flow = flow[HOURS:] / flow[HOURS:].mean()

    def output(size):
        power = np.clip(size * flow - 0.04, 0, 1)  # the river keeps its compensation flow
        return np.where(power < 0.05, 0, power) * 0.98

    return output(tuned(0.05, 2.0, 0.35, lambda size: output(size).mean()))


def outage(day_first, days, ramp_hours):
    """1 in operation, 0 for `days` from `day_first`, with straight ramps before and after."""
    hour = np.arange(HOURS)
    start, end = day_first * 24, (day_first + days) * 24
    return np.clip(np.maximum((start - hour) / ramp_hours, (hour - end) / ramp_hours), 0, 1)


def biomass_profile(need):
    """Modelled: a steam unit that follows the need for power between its minimum and full load."""
    wanted = 0.42 + 0.52 * ndtr(1.4 * spread(need, 5) + 0.25)
    steady = 1 + 0.012 * wander(501, memory_hours=6)
    running = outage(181, 14, 12) * outage(62, 3, 8) * outage(305, 2, 8)
    shape = wanted * steady * running
    return np.clip(shape * 0.60 / shape.mean(), 0, 1)


def nuclear_profile():
    """Modelled: full load, a little less in warm seas, a long outage to refuel, one trip and one reduction."""
    sea = 0.978 + 0.012 * np.cos(2 * np.pi * (np.arange(HOURS) / 24 - 50) / DAYS)  # coldest in late February
    running = outage(232, 60, 60) * outage(74, 5, 24)
    reduced = 1 - 0.35 * (1 - outage(140, 2, 10))
    return np.clip((sea + 0.002 * wander(601, memory_hours=30)) * running * reduced, 0, 1)


def british_clock():
    """Day of the year and hour of the day on British clocks, for each hour in UTC."""
    local = CLOCK.tz_convert("Europe/London")
    days = np.where(local.year > YEAR, DAYS - 1, local.day_of_year - 1)
    return np.asarray(days), np.asarray(local.hour)


def retail_profile():
    """Demand of a supplier's households: metered days, moved by half a year, on British clocks and British seasons."""
    source = metered_households()
    # The same hour of the week before and after stands in for more homes than the 13 that were metered.
    source = (source + np.roll(source, 168) + np.roll(source, -168)) / 3
    days, hours = british_clock()
    # Thursday 1 January takes Thursday 6 July 2017, so that evenings of cooling become evenings of heating.
    source_days = (339 + days) % 364
    summer_time = (source_days < 97) | (source_days >= 223)  # until 6 November 2016, from 12 March 2017
    profile = source[(source_days * 24 + hours - summer_time) % len(source)]
    profile = profile / spread(profile, 28 * 24)
    season = 1 + 0.2 * np.cos(2 * np.pi * (np.arange(HOURS) / 24 - 15) / DAYS)
    profile = spread(profile, 3) * season
    return profile / profile.max()


def factory_profile():
    """Modelled: two shifts on weekdays, one on Saturdays, a shutdown at Christmas, a slow fortnight in August."""
    days, hours = british_clock()
    weekday = (days + 3) % 7  # 1 January is a Thursday
    holidays = np.isin(days, [0, 92, 95, 123, 144, 242]) | (days >= 357)
    rest = holidays | (weekday == 6)
    shifts = np.select(
        [rest, weekday == 5],
        [0.0, ((hours >= 6) & (hours < 14)) * 0.55],
        ((hours >= 6) & (hours < 14)) * 1.0 + ((hours >= 14) & (hours < 22)) * 0.86,
    )
    shifts = shifts * np.where((days >= 215) & (days < 229), 0.6, 1.0)
    shifts = shifts * np.where((hours == 10) | (hours == 18), 0.9, 1.0)  # breaks
    base = 0.24 + 0.03 * np.cos(2 * np.pi * (np.arange(HOURS) / 24 - 20) / DAYS)
    profile = base + 0.68 * shifts * (1 + 0.05 * wander(701, memory_hours=40)) + 0.012 * wander(702, memory_hours=2)
    return profile / profile.max()


def battery_profile(need):
    """Modelled: charges each night and empties each evening; a second cycle on days whose prices are far apart.

    Whole per mille. The store is empty, but for rounding, at the end of each day.
    """
    result = np.zeros(HOURS, dtype=int)
    stored = 0.0

    def charge(hours, target):
        nonlocal stored
        for hour in sorted(hours, key=lambda h: (need[h], h)):
            power = min(1_000, int((target - stored) / BATTERY_EFFICIENCY_ONE_WAY))
            result[hour] = -power
            stored += power * BATTERY_EFFICIENCY_ONE_WAY

    def discharge(hours):
        nonlocal stored
        for hour in sorted(hours, key=lambda h: (-need[h], h)):
            power = min(1_000, int(stored * BATTERY_EFFICIENCY_ONE_WAY))
            result[hour] = power
            stored -= power / BATTERY_EFFICIENCY_ONE_WAY

    for midnight in range(0, HOURS, 24):
        today = need[midnight : midnight + 24]
        depth = np.clip(0.45 + 0.3 * (today[16:22].max() - today[0:6].min()), 0.4, 1.0)
        charge(range(midnight, midnight + 6), depth * BATTERY_ENERGY)
        if today[6:10].max() - today[10:16].min() > 0.9:
            discharge(range(midnight + 6, midnight + 10))
            charge(range(midnight + 10, midnight + 16), 0.98 * BATTERY_ENERGY)
        discharge(range(midnight + 16, midnight + 23))
    return result


# --- All together -----------------------------------------------------------------------------------------------------


def make():
    """The table of profiles and, per solar column, the hours in which the sun is down throughout."""
    speed, clearness = station_weather()
    scores = normal_scores(speed, seed=101)
    wind = {
        "wind_offshore": wind_profile(scores, 12.0, 2.2, 5, 5, 0.90, 0.41, seed=201),
        "wind_onshore": wind_profile(scores, 12.0, 2.0, 3, 3, 0.90, 0.27, seed=202),
        "wind_onshore_north": wind_profile(scores, 13.5, 1.95, 0, 3, 0.90, 0.30, seed=203),
    }
    south, night_south = solar_profile(clearness, 50.95, -1.45, 25, 180, 0, seed=301, mean=0.113)
    east, night_east = solar_profile(clearness, 52.60, 1.05, 15, 125, 3, seed=302, mean=0.105)
    retail = retail_profile()
    need = 1.3 * retail - 0.5 * wind["wind_onshore"] - 0.4 * wind["wind_offshore"] - 0.5 * south
    need = (need - need.mean()) / need.std()

    columns = {
        **wind,
        "solar_south": south,
        "solar_east": east,
        "hydro": hydro_profile(scores),
        "biomass": biomass_profile(need),
        "nuclear": nuclear_profile(),
    }
    table = {name: np.rint(1_000 * values).astype(int) for name, values in columns.items()}
    table["battery"] = battery_profile(need)
    table["load_retail"] = np.rint(1_000 * retail).astype(int)
    table["load_factory"] = np.rint(1_000 * factory_profile()).astype(int)
    return pd.DataFrame(table), {"solar_south": night_south, "solar_east": night_east}


def faults(table, nights):
    """Every rule that the table breaks, as a sentence."""
    found = []

    def rule(holds, sentence):
        if not holds:
            found.append(sentence)

    rule(list(table.columns) == list(MEAN_BOUNDS), "the columns are not the agreed ones")
    rule(len(table) == HOURS, f"{len(table)} rows instead of {HOURS}")
    for name, (low, high) in MEAN_BOUNDS.items():
        lowest = -1_000 if name == "battery" else 0
        rule(table[name].between(lowest, 1_000).all(), f"{name} leaves {lowest}..1000")
        rule(low <= table[name].mean() <= high, f"{name} has a mean of {table[name].mean():.1f}, not {low}..{high}")
    for name, night in nights.items():
        rule((table[name][night] == 0).all(), f"{name} shines at night")
        lit = (table[name].to_numpy().reshape(DAYS, 24) > 0).sum(axis=1)
        rule(7 <= lit[351:358].mean() <= 9.5, f"{name} shines {lit[351:358].mean():.1f} hours around 21 December")
        rule(16 <= lit[168:175].mean() <= 18.5, f"{name} shines {lit[168:175].mean():.1f} hours around 21 June")
    for name in ("load_retail", "load_factory"):
        rule(table[name].max() == 1_000, f"{name} never reaches its peak demand")
    for name, first, days in (("biomass", 181, 14), ("nuclear", 232, 60)):
        rule((table[name][first * 24 : (first + days) * 24] == 0).all(), f"{name} runs in its outage")
    winter = table["hydro"][DAY_OF_YEAR < 59].mean()
    summer = table["hydro"][(DAY_OF_YEAR >= 151) & (DAY_OF_YEAR < 243)].mean()
    rule(winter > 1.5 * summer, f"hydro is {winter:.0f} in winter, {summer:.0f} in summer")
    pairs = table.corr()
    for one, other, low, high in (
        ("wind_onshore", "wind_onshore_north", 0.5, 0.9),
        ("wind_onshore", "wind_offshore", 0.4, 0.9),
        ("solar_south", "solar_east", 0.7, 0.97),
    ):
        rule(low < pairs.loc[one, other] < high, f"{one} and {other} correlate by {pairs.loc[one, other]:.2f}")

    power = table["battery"].to_numpy()
    eta = BATTERY_EFFICIENCY_ONE_WAY
    stored = np.cumsum(np.where(power < 0, -power * eta, -power / eta))
    rule(stored.min() > -1e-6 and stored.max() <= BATTERY_ENERGY + 1e-6, "the battery leaves its store's bounds")
    rule(stored[23::24].max() < 3, "the battery keeps energy over midnight")
    efficiency = power[power > 0].sum() / -power[power < 0].sum()
    rule(0.875 < efficiency < 0.89, f"the battery returns {efficiency:.4f} of its charge")
    return found


def main():
    arguments = argparse.ArgumentParser(description="Makes demo/profiles.csv.")
    arguments.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    check = arguments.parse_args().check

    table, nights = make()
    found = faults(table, nights)
    content = table.to_csv(index=False, lineterminator="\n").encode("ascii")
    if len(content) > OUTPUT_BYTES_MAX:
        found.append(f"{len(content)} bytes, more than {OUTPUT_BYTES_MAX}")
    if check and not found and (not OUTPUT.exists() or OUTPUT.read_bytes() != content):
        found.append(f"{OUTPUT.name} is not what this script makes")
    for sentence in found:
        print(f"fault: {sentence}", file=sys.stderr)
    if found:
        return 1
    if not check:
        OUTPUT.write_bytes(content)
    for name in table:
        print(f"{name:20} mean {table[name].mean():6.1f}  lowest {table[name].min():5}  highest {table[name].max():5}")
    print(f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
