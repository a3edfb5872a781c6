"""Steps that Dagster runs again by itself: those that can be done twice, and only for causes that pass by themselves.

Which causes those are is the table in `causes.py`. Whatever else stops a step would stop it again: it fails at once.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import dagster as dg

from reliability_platform.causes import cause_of
from reliability_platform.orchestration.run_storage import StepFailedError

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""Waits of about 2, 4 and 8 seconds. The warehouse's lease and the operations store wait for their turn themselves
before they give up, so what is left to a retry is short; an incident takes over after the last one."""


@contextmanager
def _deterministic_ones_fail_at_once() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        cause = error.cause if isinstance(error, StepFailedError) else cause_of(error)
        if cause is not None and cause.is_transient:
            raise
        raise dg.Failure(str(error), allow_retries=False) from error


def only_transient(work: Callable[P, R]) -> Callable[P, R]:
    """Let a step with `RETRIES` be tried again for transient causes alone. Stands above `redact_errors`."""
    if inspect.isgeneratorfunction(work):

        @wraps(work)
        def redacted_parts(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
            with _deterministic_ones_fail_at_once():
                yield from work(*args, **kwargs)

        return cast(Callable[P, R], redacted_parts)

    @wraps(work)
    def at_once(*args: P.args, **kwargs: P.kwargs) -> R:
        with _deterministic_ones_fail_at_once():
            return work(*args, **kwargs)

    return at_once
