"""Runs of the pipeline that ended in an error or were killed: at which stage, of which source, and why.

Whoever sees a run die writes it here; the run monitor makes check results of it, and those become an incident. What
dbt's own results or the journal of builds tell already is not written a second time.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.causes import CAUSES, Cause
from reliability_platform.masking import scrub
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import failed_runs

MAX_ERROR = 500
PUBLICATION = "publication"
"""The stage that needs no days judged anew: what was judged before it is published by the next one."""
UNTIL_LANDED = ("reference data", "landing")
"""Stages before all batches of a day have landed."""


@dataclass(frozen=True)
class FailedRun:
    """One run that died."""

    run_id: str
    job: str
    stage: str
    """Where: `landing/orders`, `dbt`, `audit`, `publication`; several if several failed at once."""
    source: str | None
    """The source whose data it was about, where it was one alone."""
    first_day: date
    last_day: date
    cause: Cause
    error: str
    failed_at: datetime

    @property
    def landed_all(self) -> bool:
        """Whether it came as far as to land what the days should have."""
        return not self.stage.startswith(UNTIL_LANDED)

    @property
    def summary(self) -> str:
        """What died, where and why, in one line."""
        return f"the run of {self.job} failed in {self.stage}: {self.error}"


class FailedRuns:
    """The entries in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, run: FailedRun) -> bool:
        """Write an entry; False if this run has one."""
        values = {
            **vars(run),
            "cause": run.cause.name,
            "error": scrub(run.error)[:MAX_ERROR],
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(failed_runs).values(**values))
        except IntegrityError:
            return False
        return True

    def known(self, run_id: str) -> bool:
        """Whether the run has an entry."""
        with self._engine.connect() as connection:
            return (
                connection.execute(select(failed_runs.c.run_id).where(failed_runs.c.run_id == run_id)).first()
                is not None
            )

    def since(self, moment: datetime | None = None) -> list[FailedRun]:
        """Those that failed after a moment, or all, oldest first."""
        query = select(failed_runs).order_by(failed_runs.c.failed_at)
        if moment is not None:
            query = query.where(failed_runs.c.failed_at > moment)
        with self._engine.connect() as connection:
            return [record(FailedRun, row, cause=CAUSES.__getitem__) for row in connection.execute(query)]
