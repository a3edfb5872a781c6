"""Before an error becomes Dagster's: its run storage, its console and its pages keep every word of it."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from reliability_platform.causes import Cause, cause_of
from reliability_platform.ending import raise_if_stopped, stop_first
from reliability_platform.errors import PlatformError
from reliability_platform.masking import error_text
from reliability_platform.settings import load_settings
from reliability_platform.system_errors import foreseen

P = ParamSpec("P")
R = TypeVar("R")


class StepFailedError(PlatformError):
    """A step failed in a way that nobody foresaw; the words are the error's, without the values that it quoted."""

    def __init__(self, words: str, cause: Cause | None) -> None:
        super().__init__(words)
        self.cause = cause
        """What the error came of, by its own text and type: the masked words may not say it any more."""


@contextmanager
def _masked_errors() -> Iterator[None]:
    raise_if_stopped()
    try:
        with stop_first():
            yield
    except PlatformError:
        raise
    except Exception as error:
        # Neither cause nor context: Dagster would keep and show them as well. The places in the code stay.
        ours = foreseen(error, load_settings().dagster_home) or StepFailedError(error_text(error), cause_of(error))
        raise ours.with_traceback(error.__traceback__) from None


def redact_errors(work: Callable[P, R]) -> Callable[P, R]:
    """Let errors out of a step or a sensor without the values that they quote; every one needs this."""
    if inspect.isgeneratorfunction(work):

        @wraps(work)
        def redacted_parts(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
            with _masked_errors():
                yield from work(*args, **kwargs)

        return cast(Callable[P, R], redacted_parts)

    @wraps(work)
    def at_once(*args: P.args, **kwargs: P.kwargs) -> R:
        with _masked_errors():
            return work(*args, **kwargs)

    return at_once
