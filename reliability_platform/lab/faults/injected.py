"""A fault plan is a source in front of a source: what it delivers is broken where the plan says so."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.lab.faults.injection import injected_batches
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.lab.faults.truth import save_truth
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.source import Source


@dataclass(frozen=True)
class InjectedSource:
    """A source behind a plan. What it did is kept with the home as the truth, before anything of it has landed."""

    behind: Source
    plan: ActivePlan
    settings: Settings

    @property
    def name(self) -> str:
        """That of the source behind."""
        return self.behind.name

    def deliver(self, day: date) -> list[Batch]:
        """The batches of a day under the plan. Raises `UsageError` if the plan leaves a fault nothing to break."""
        batches, truths = injected_batches(self.behind, self.plan, day)
        for truth in truths:
            save_truth(self.settings, truth)
        return batches

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """What is asked for again comes as it is: a fault happens once."""
        return self.behind.deliver_again(day, sequence, attempt)
