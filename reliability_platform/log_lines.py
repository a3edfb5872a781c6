"""What happens, as one line of JSON each on stderr, for whoever collects logs: only where the setting asks for it.

Whoever tells of something gives names and numbers as fields, so that a program need not take texts apart. Texts are those
that stand in the operations store, masked.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from reliability_platform.clock import utc_now
from reliability_platform.settings import Settings

JSON = "json"
TAGS = {"incident": "reliability/incident", "day": "dagster/partition"}
"""Fields that the tags of a run of Dagster tell."""
_FIELDS, _OURS = "reliability_fields", "reliability_platform"
_log = logging.getLogger(_OURS)


def log_event(event: str, **fields: Any) -> None:
    """Tell of an event; fields that are None are left out. Nothing is written unless `configure` was asked to."""
    _log.info(event, extra={_FIELDS: fields})


class JsonLines(logging.Formatter):
    """`at`, `level`, `logger` and `event` first; then the fields, or of a line of a run of Dagster its run, job and step."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        dagster: dict[str, Any] = getattr(record, "dagster_meta", {})
        fields = {"run": dagster.get("run_id"), "job": dagster.get("job_name"), "step": dagster.get("step_key")}
        fields |= {name: dagster.get("job_tags", {}).get(tag) for name, tag in TAGS.items()}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": dagster.get("orig_message") or record.getMessage(),
            **fields,
            **getattr(record, _FIELDS, {}),
        }
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def json_line(logger: str, event: str) -> str:
    """What somebody else has printed, as a line of ours."""
    at = utc_now().isoformat(timespec="milliseconds")
    return json.dumps({"at": at, "logger": logger, "event": event})


def json_handler() -> logging.Handler:
    """Writes to stderr as it is now."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    return handler


def configure(settings: Settings) -> None:
    """Let what is told in this process be written, where the setting says so; once, whoever asks again."""
    if settings.log_format == JSON and not _log.handlers:
        _log.addHandler(json_handler())
        _log.setLevel(logging.INFO)
        _log.propagate = False
