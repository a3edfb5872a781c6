"""Evidence files: what a run can show for itself, as tables that people and programs read."""

from reliability_platform.lab.scorecard.evidence.run import StageTiming
from reliability_platform.lab.scorecard.evidence.write import write_evidence

__all__ = ["StageTiming", "write_evidence"]
