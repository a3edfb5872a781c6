"""What somebody does in a project of one's own, in one process, for each costs seconds: run, record, break, heal, prove.

Run in the folder of the project, with its home and its days; prints what became of each fault. `test_recording` reads it.
"""

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from reliability_platform.clock import days
from reliability_platform.lab.campaign.grade import grade
from reliability_platform.lab.campaign.grid import Scenario, TrialPlan
from reliability_platform.lab.campaign.trial import run_trial
from reliability_platform.lab.recordings.record import record
from reliability_platform.lab.recordings.recording import Recording
from reliability_platform.operations import operations_engine
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

HIT = ("unknown_enum", "schema_type_changed", "conflicting_duplicate")
"""In a column of the key, in the event time or a number, in a whole row: one each day from the second on."""


def main(into: Path, first: date, last: date) -> None:
    settings, target = load_settings(), load_settings(into)
    engine, there = operations_engine(settings), list(days(first, last))
    ensure_manifest()
    reprocess(RunContext.of(settings, "test"), there)
    record(settings, engine, first, last, target)
    scenarios = tuple(
        Scenario(fault, "flights", "medium", "day", 7, day) for fault, day in zip(HIT, there[1:], strict=False)
    )
    plan = TrialPlan(1, 7, scenarios, Recording.open(target.recording))
    found = grade(run_trial(into / "trial", plan))
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), date.fromisoformat(sys.argv[3]))
