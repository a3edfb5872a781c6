"""Whether a scenario finds something to break in what was recorded: labels, references or rows enough on its days."""

from reliability_platform.errors import UsageError
from reliability_platform.lab.campaign.grid import Scenario
from reliability_platform.lab.faults.injection import inject_one
from reliability_platform.lab.recordings.recording import RecordedSource, Recording


def hits(scenario: Scenario, recording: Recording) -> bool:
    """By trying it: nothing is kept. A control may change nothing, as a clean day does."""
    try:
        done = inject_one(RecordedSource(recording, scenario.source), scenario.seed, scenario.injection())
    except UsageError:
        return False
    return bool(done.batches) or scenario.declared.is_control
