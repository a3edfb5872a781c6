"""A home with one landed day, broken by hand in chosen slots, and an incident of it. No dbt, no faults: only evidence."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Facts
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import request_batch, scheduled_batches
from reliability_platform.landing.admission import admit
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.batch import Batch
from tests.unit.failing import NOTHING, NOW, day, passed, result


class BrokenHome:
    """One source, its fifth day, four slots."""

    DAY = day(5)

    def __init__(self, home: Path, source: str = "orders", events_per_day: int = 400) -> None:
        self.settings: Settings = load_settings(home)
        self.source = source
        self.day: date = self.DAY
        self.simulation = Simulation(seed=3, events_per_day=events_per_day)
        self.simulation.save(self.settings)
        self.engine: Engine = operations_engine(self.settings)
        self.incidents = IncidentStore(self.engine)
        self.checks = CheckStore(self.engine)

    def land(
        self,
        *,
        without: Sequence[int] = (),
        renamed: Mapping[int, Mapping[str, str]] | None = None,
        dropped: Mapping[int, str] | None = None,
        retyped: Mapping[int, Callable[[pa.Table], pa.Table]] | None = None,
        attempt: int = 1,
    ) -> list[Batch]:
        """Land the day without some slots, others with columns renamed, dropped or of another type; admit it."""
        batches = []
        for batch in scheduled_batches(self.simulation, self.source, self.day):
            if batch.sequence in without:
                continue
            if attempt > 1:
                batch = request_batch(self.simulation, self.source, self.day, batch.sequence, attempt)
            names = (renamed or {}).get(batch.sequence, {})
            table = batch.table.rename_columns([names.get(name, name) for name in batch.table.column_names])
            if dropped and batch.sequence in dropped:
                table = table.drop_columns([dropped[batch.sequence]])
            if retyped and batch.sequence in retyped:
                table = retyped[batch.sequence](table)
            changed = Batch(**{**vars(batch), "table": table})
            write_batch(self.settings, changed)
            batches.append(changed)
        self.admit()
        return batches

    def remember(self, days: int, *others: str) -> None:
        """Land, admit and judge the days before, of other sources the day itself too."""
        before = [self.day - timedelta(days=back) for back in range(days, 0, -1)]
        for source, landed in [(self.source, before), *((other, [*before, self.day]) for other in others)]:
            for one in landed:
                for batch in scheduled_batches(self.simulation, source, one):
                    write_batch(self.settings, batch)
                admit(self.settings, source, one)
        wanted = [name for name, spec in CHECKS.items() if spec.blocking and self.source in spec.sources]
        good = [passed(name) for name in wanted]
        self.checks.record([replace(passed, partition=one) for passed in good for one in before])

    def admit(self) -> dict[str, str]:
        """Admit the day; the state of each file by its batch id."""
        return {one.batch_id: one.state for one in admit(self.settings, self.source, self.day)}

    def reject(self, slots: Sequence[int], *, superseded: Sequence[int] = ()) -> None:
        """Put a rejected row of each slot into the row quarantine."""
        rows = [(self.source, self.day, slot, "quarantined") for slot in slots]
        rows += [(self.source, self.day, slot, "superseded") for slot in superseded]
        with duckdb.connect(str(self.settings.warehouse)) as connection:
            connection.execute(
                "create or replace table qtn_rows "
                "(source varchar, landing_date date, batch_sequence integer, state varchar)"
            )
            if rows:
                connection.executemany("insert into qtn_rows values (?, ?, ?, ?)", rows)

    def landed(self) -> set[str]:
        """The batch files in landing."""
        return {path.stem for path in landing_folder(self.settings, self.source, self.day).glob("*.parquet")}

    def landing_bytes(self) -> dict[str, bytes]:
        """Every file in landing with its bytes."""
        folder = landing_folder(self.settings, self.source, self.day)
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def incident(self, *checks: str, facts: Facts = NOTHING) -> Incident:
        """Open one incident from failed checks of the day."""
        last = max((number for number, _ in self.checks.after(0, 10_000)), default=0)
        self.checks.record([result(check, facts=facts) for check in checks])
        (incident_id,) = observe(self.engine, self.checks.after(last, 1000), NOW)
        return self.incidents.get(incident_id)

    def judge(self, *, failing: Sequence[str] = (), **more: Any) -> None:
        """Record a result of every check on the day: passed, but for those that fail."""
        evaluated = [name for name, spec in CHECKS.items() if not CLASSES[spec.failure_class].told_by_people]
        statuses = {name: CheckStatus.FAILED if name in failing else CheckStatus.PASSED for name in evaluated}
        self.checks.record([result(name, status=status, **more) for name, status in statuses.items()])

    def write_stray_file(self, name: str) -> None:
        """Drop something into landing that no producer announced."""
        (landing_folder(self.settings, self.source, self.day) / name).write_bytes(b"PAR1 no, it is not")
        self.admit()


def shim_of(settings: Settings, source: str, batch_id: str) -> dict[str, Any]:
    """The approved shim of a batch."""
    shim: dict[str, Any] = json.loads((settings.decisions / source / f"{batch_id}.json").read_text())
    return shim
