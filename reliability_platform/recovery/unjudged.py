"""Landing days whose check results are missing, or are about to be."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Engine

from reliability_platform.checks import gate
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.settings import Settings


def unjudged_days(settings: Settings, engine: Engine) -> set[date]:
    """Landing days whose run was cut off: a blocking check has no result on them."""
    return gate.unjudged_days(CheckStore(engine), landed_partitions(settings))


def invalidate_days(engine: Engine, landing_days: Sequence[date]) -> None:
    """Forget the results on days whose tables are about to change: nothing of before may release them."""
    CheckStore(engine).invalidate(SOURCES, landing_days)
