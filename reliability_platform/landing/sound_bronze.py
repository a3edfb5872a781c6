"""Bronze as a build finds it: what differs from its seal is made anew from landing, or the build is refused.

Bronze is a pure function of landing and the decisions, so a damaged file costs nothing as long as landing is whole. Days
that are built are read; others are looked at by size and age alone, which tells what would break the build.
"""

from collections.abc import Collection
from datetime import date

from reliability_platform.damage import Damage, in_one_line
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.admission import admit
from reliability_platform.landing.sealed import BRONZE, DECISIONS, LANDING, examine_day, looks_sound, sealed_days
from reliability_platform.landing.seals import read_seal
from reliability_platform.settings import Settings


def ensure_sound_bronze(settings: Settings, built: Collection[date]) -> list[Damage]:
    """Make damaged bronze anew before it is built from; returns what was damaged.

    Raises `EnvironmentUnusableError`, naming the file, if landing would not give the same any more.
    """
    found: list[Damage] = []
    for source, day in sealed_days(settings):
        if day not in built and looks_sound(settings, source, day):
            continue
        damages = examine_day(settings, source, day, [BRONZE])
        if damages:
            _make_anew(settings, source, day, damages)
            found += damages
    return found


def _make_anew(settings: Settings, source: str, day: date, damages: list[Damage]) -> None:
    lost = examine_day(settings, source, day, [LANDING, DECISIONS])
    if lost:
        raise EnvironmentUnusableError(
            f"Nothing was built: {in_one_line(damages, 1)}; and landing cannot give it, for {in_one_line(lost, 1)}."
        )
    before = _bronze_of(settings, source, day)
    admit(settings, source, day)
    if before is not None and before != _bronze_of(settings, source, day):
        raise EnvironmentUnusableError(
            f"Nothing was built: {damages[0].path} {damages[0].what}, and what has landed since gives another one: run "
            f"the day again with `reliability backfill --from {day} --to {day}`."
        )


def _bronze_of(settings: Settings, source: str, day: date) -> dict[str, str] | None:
    """The checksums of the bronze of a day; None if its seal is damaged."""
    try:
        files = read_seal(settings, source, day)
    except ValueError:
        return None
    return {name: one.sha256 for name, one in (files or {}).items() if name.startswith("bronze/")}
