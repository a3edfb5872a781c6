"""Landing of a topic in a process of its own, to be killed: `python -m tests.unit.stream_killed HOME BROKER TOPIC NOW`.

It prints a line once it begins to read, and ends with 3 if the broker does not answer.
"""

import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from reliability_platform.contracts.servers import KAFKA, Server
from reliability_platform.errors import SourceUnavailableError
from reliability_platform.landing import stream
from reliability_platform.landing.stream import land_stream
from reliability_platform.settings import load_settings
from tests.unit.test_stream_source import SOURCE, declare_at

ASKED = [date(2026, 1, day) for day in range(5, 9)]
DURING, AFTER = "2026-01-08T12:00:00+00:00", "2026-01-09T00:30:00+00:00"
"""While the last day goes on, and after it."""
SILENT = 3
"""How it ends if the broker does not answer."""


def main(home: str, broker: str, topic: str, now: str) -> None:
    """Land what there is, in batches so small that a kill meets some of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "ROWS_A_BATCH", 300)
        declare_at(patch, topic, Server(KAFKA, broker, dead_letter_topic=f"{topic}.dead"))
        print("begins", flush=True)  # noqa: T201
        try:
            land_stream(load_settings(Path(home)), SOURCE, ASKED, lambda: datetime.fromisoformat(now))
        except SourceUnavailableError:
            sys.exit(SILENT)


if __name__ == "__main__":
    main(*sys.argv[1:])
