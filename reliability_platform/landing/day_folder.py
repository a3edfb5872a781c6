"""Where what belongs to a source and landing day lies: one folder for each, in landing, in bronze and in the file quarantine."""

from datetime import date
from pathlib import Path

from reliability_platform.parquet import DAY_FOLDER
from reliability_platform.settings import Settings


def day_folder(root: Path, source: str, landing_date: date) -> Path:
    """The folder of a source and landing day below another one."""
    # In one step: each tick asks for that of every day, and of five steps it was half of the tick.
    return root.joinpath(source, f"{DAY_FOLDER}{landing_date.isoformat()}")


def landing_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the deliveries of a source and landing day are."""
    return day_folder(settings.landing, source, landing_date)


def quarantine_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the refused files of a source and landing day are."""
    return day_folder(settings.quarantine, source, landing_date)
