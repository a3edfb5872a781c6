"""What is to be rehearsed in a home, and how often: the drills that can be done there, and the experiments that apply."""

from datetime import timedelta
from functools import cache
from pathlib import Path

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.lab.experiments.experiment import experiment_files, read_experiment
from reliability_platform.recovery.drill_log import DUE_AT, Calendar, Drill
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation


def calendar(settings: Settings) -> Calendar:
    """Drill or experiment → how old its last success may be."""
    found: dict[str, timedelta] = {
        Drill.TABLE_LOSS: timedelta(days=settings.drill_table_days),
        Drill.WAREHOUSE_LOSS: timedelta(days=settings.drill_warehouse_days),
    }
    if not SnapshotLocation.of(settings).lies_in(
        settings.home
    ):  # else they would be lost with it: the drill can only fail
        found[Drill.HOME_LOSS] = timedelta(days=settings.drill_home_days)
    if settings.snapshot_replica_url is not None:
        found[Drill.REGION_LOSS] = timedelta(days=settings.drill_home_days)
    if settings.recording.exists() or any(one.kind == "simulated" for one in CONTRACTS.values()):
        found[Drill.SOURCE_OUTAGE] = timedelta(days=settings.drill_source_days)
    for name, path in experiment_files().items():
        every_days = _every_days(path, path.stat().st_mtime_ns, settings.rehearsal_days)
        if every_days:
            found[name] = timedelta(days=every_days / DUE_AT)
    return found


@cache
def _every_days(path: Path, _changed: int, otherwise: float) -> float:
    """How often an experiment is rehearsed; 0 for one that finds nothing to hit. One whose file cannot be read is due: it is then said."""
    from reliability_platform.lab.experiments.placement import why_not

    try:
        experiment = read_experiment(path)
    except UsageError:
        return otherwise
    if why_not(experiment) is not None:
        return 0
    return experiment.every_days if experiment.every_days is not None else otherwise
