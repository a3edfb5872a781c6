"""Where bronze and the records of admission lie. Apart from `bronze`, which declares their columns with Arrow: 0.2 s to import."""

from datetime import date
from pathlib import Path

from reliability_platform.parquet import DAY_FOLDER
from reliability_platform.settings import Settings


def bronze_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the admitted files of a source and landing day are."""
    return settings.bronze.joinpath(source, f"{DAY_FOLDER}{landing_date.isoformat()}")


def admissions_file(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the admission records of a source and landing day are."""
    # In one step: each tick asks for that of every day, and of five steps it was half of the tick.
    return settings.admissions.joinpath(source, f"{DAY_FOLDER}{landing_date.isoformat()}", "admissions.parquet")
