"""The one table of what passes by itself and what does not."""

import pytest

from reliability_platform.causes import (
    CAUSES,
    DAMAGE,
    HELD,
    NO_RIGHTS,
    NO_ROOM,
    SOURCE_DOWN,
    SOURCE_REFUSES,
    UNUSABLE,
    Cause,
    Persistence,
    cause_in,
    cause_of,
    cause_of_status,
)
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, SourceUnavailableError
from reliability_platform.incidents.classes import CLASSES


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ('IO Error: Could not set lock on file "x": Conflicting lock is held', HELD),
        ("A program outside the platform has had warehouse.duckdb open for 30 s", HELD),
        ('IO Error: Cannot open file "x": Permission denied', NO_RIGHTS),
        ('IO Error: Cannot open file "x": Read-only file system', NO_RIGHTS),
        ('IO Error: Could not write file "x": No space left on device', NO_ROOM),
        ('IO Error: Could not write file "x": File too large', NO_ROOM),
        ("IO Error: Corrupt database file: computed checksum 1 does not match", DAMAGE),
        ("Binder Error: Referenced column not found", None),
    ],
)
def test_a_failure_to_write_passes_by_itself_or_does_not(error: str, cause: Cause | None) -> None:
    """By what the error says; an error of a model is no failure to write."""
    assert cause_in(error) is cause


@pytest.mark.parametrize(
    ("status", "cause"), [(429, SOURCE_DOWN), (503, SOURCE_DOWN), (404, SOURCE_REFUSES), (401, SOURCE_REFUSES)]
)
def test_an_answer_of_a_source_is_a_matter_of_time_or_a_no(status: int, cause: Cause) -> None:
    """Asking again for what does not exist is no patience."""
    assert cause_of_status(status) is cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (SourceUnavailableError("orders did not send it"), SOURCE_DOWN),
        (HomeBusyError("another process"), HELD),
        (EnvironmentUnusableError("The warehouse does not exist"), UNUSABLE),
        (OSError("No space left on device"), NO_ROOM),
        (ValueError("who knows"), None),
    ],
)
def test_what_an_action_raises_has_a_cause(error: Exception, cause: Cause | None) -> None:
    """Its type says why, unless its text says it better."""
    assert cause_of(error) is cause


def test_every_class_of_failures_has_its_cause_in_the_table_and_each_cause_says_why() -> None:
    """One table; a cause that is not in it would be treated by chance."""
    assert all(kind.cause is CAUSES[kind.cause.name] for kind in CLASSES.values())
    assert all(cause.why for cause in CAUSES.values())
    assert {cause.persistence for cause in CAUSES.values()} == set(Persistence)
