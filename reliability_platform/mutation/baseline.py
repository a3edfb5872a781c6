"""An earlier report, to hold a new one against: what tests noticed then they must notice now."""

import json
from pathlib import Path

from reliability_platform.errors import UsageError
from reliability_platform.mutation.document import FORMAT_VERSION
from reliability_platform.mutation.score import ALIVE
from reliability_platform.mutation.session import Tested
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus


def killed_before(path: Path) -> frozenset[str]:
    """The mutants that were killed in a report of `--json`. Raises `UsageError` for another file."""
    try:
        document = json.loads(path.read_bytes())
        if document["format_version"] != FORMAT_VERSION:
            raise KeyError
        outcomes = document["outcomes"]
        return frozenset(str(one["key"]) for one in outcomes if one["status"] == MutantStatus.KILLED.name.lower())
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} is no report of `reliability mutate --json`: write one on the branch to compare with."
        ) from None


def no_longer_killed(tested: Tested, before: frozenset[str]) -> list[MutantOutcome]:
    """The mutants that survive now and did not before."""
    return [one for one in tested.outcomes if one.status in ALIVE and one.mutant.key in before]
