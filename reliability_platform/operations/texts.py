"""Texts in the operations store: any text comes back as it went in, on every engine.

PostgreSQL takes no NUL. What was delivered may hold one, and a chain of hashes is over the text as it was: so NUL goes there
as a private sign with a digit, and that sign itself as well.
"""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy
from sqlalchemy import Dialect
from sqlalchemy.types import TypeDecorator

SIGN = "\U0010fffd"
"""The last private character of Unicode."""
_WRITTEN = {"\0": f"{SIGN}0", SIGN: f"{SIGN}1"}
_READ = {written: text for text, written in _WRITTEN.items()}


def _escaped(text: str) -> str:
    return re.sub(f"[\0{SIGN}]", lambda found: _WRITTEN[found[0]], text) if "\0" in text or SIGN in text else text


def _plain(text: str) -> str:
    return re.sub(f"{SIGN}[01]", lambda found: _READ[found[0]], text) if SIGN in text else text


class _AnyText(TypeDecorator[str]):
    """A text; where the engine takes any there is nothing to do."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As the engine takes it."""
        return _escaped(value) if dialect.name == "postgresql" and isinstance(value, str) else value

    def process_result_value(self, value: str | None, _dialect: Dialect) -> str | None:
        """As it was."""
        return None if value is None else _plain(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """None for an engine that takes any text: some thousand rows are read for a page."""
        return super().result_processor(dialect, coltype) if dialect.name == "postgresql" else None


class String(_AnyText):
    """One of a length."""

    impl = sqlalchemy.String
    cache_ok = True


class Text(_AnyText):
    """One of any length."""

    impl = sqlalchemy.Text
    cache_ok = True
