"""Where bronze and the records of admission lie. Apart from `bronze`, which declares their columns with Arrow: 0.2 s to import."""

from datetime import date
from pathlib import Path

from reliability_platform.landing.day_folder import day_folder
from reliability_platform.settings import Settings


def bronze_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the admitted files of a source and landing day are."""
    return day_folder(settings.bronze, source, landing_date)


def admissions_file(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the admission records of a source and landing day are."""
    return day_folder(settings.admissions, source, landing_date) / "admissions.parquet"
