"""Validation results of Great Expectations: of one batch, or of a whole checkpoint; of versions 0.x and 1.x."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from reliability_platform.checks.imported.external_test import (
    ExternalRun,
    ExternalTest,
    key_of,
    listed,
    mapping,
    moment_of,
    shown,
    whole_number,
)
from reliability_platform.checks.results import CheckStatus

TOOL = "Great Expectations"
_ABOUT_THE_RUN = frozenset({"batch_id", "result_format"})
"""Arguments of an expectation that differ from run to run, though it is the same."""


def _validations(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The validations of a document; none if it is no such thing."""
    runs = mapping(document.get("run_results"))
    if runs:
        return [mapping(mapping(one).get("validation_result", one)) for one in runs.values()]
    if "validation_results" in document:
        return [mapping(one) for one in listed(document["validation_results"])]
    return [document] if "results" in document or "expectations" in document else []


def expectations_of(document: Any) -> ExternalRun | None:
    """The expectations of a document with what became of each; None if it is none of Great Expectations."""
    validations = _validations(mapping(document))
    tests = [test for one in validations for test in _tests(one)]
    return ExternalRun(TOOL, tests) if tests else None


def _tests(validation: Mapping[str, Any]) -> Iterator[ExternalTest]:
    meta = mapping(validation.get("meta"))
    suite = validation.get("suite_name") or meta.get("expectation_suite_name") or ""
    at = moment_of(mapping(meta.get("run_id")).get("run_time")) or moment_of(meta.get("validation_time"))
    dataset, day = _dataset(meta), _day(meta)
    for one in map(mapping, listed(validation.get("results", validation.get("expectations")))):
        config = mapping(one.get("expectation_config", one))
        kind = config.get("type") or config.get("expectation_type")
        if kind is None or "success" not in one:
            continue
        arguments = {key: value for key, value in mapping(config.get("kwargs")).items() if key not in _ABOUT_THE_RUN}
        column = arguments.get("column")
        name = f"{kind} of {column}" if column else str(kind)
        yield ExternalTest(
            tool=TOOL,
            key=key_of(TOOL, suite, kind, arguments),
            name=shown(f"{name} ({suite})" if suite else name),
            dataset=dataset,
            day=day,
            at=at,
            status=_status(one),
            failures=whole_number(mapping(one.get("result")).get("unexpected_count")),
            column=str(column) if isinstance(column, str) else None,
        )


def _status(result: Mapping[str, Any]) -> CheckStatus:
    """An expectation that raised is neither met nor missed; since 1.0 the exceptions stand by metric."""
    said = mapping(result.get("exception_info"))
    raised = [said.get("raised_exception"), *(mapping(one).get("raised_exception") for one in said.values())]
    if any(one is True for one in raised) or not isinstance(result["success"], bool):
        return CheckStatus.NOT_EVALUATED
    return CheckStatus.PASSED if result["success"] else CheckStatus.FAILED


def _dataset(meta: Mapping[str, Any]) -> str | None:
    """The table of a batch, else the name of its asset."""
    places: Iterable[tuple[str, str]] = (
        ("batch_spec", "table_name"),
        ("batch_kwargs", "table"),
        ("active_batch_definition", "data_asset_name"),
        ("batch_spec", "data_asset_name"),
        ("batch_kwargs", "data_asset_name"),
    )
    found = (mapping(meta.get(place)).get(key) for place, key in places)
    return next((one for one in found if isinstance(one, str) and one), None)


def _day(meta: Mapping[str, Any]) -> date | None:
    """The day of a batch that is one of a day, by its identifiers: year, month and day, or a date."""
    said = {
        **mapping(mapping(meta.get("active_batch_definition")).get("batch_identifiers")),
        **mapping(meta.get("batch_parameters")),
    }
    try:
        if {"year", "month", "day"} <= said.keys():
            return date(int(said["year"]), int(said["month"]), int(said["day"]))
    except (TypeError, ValueError):
        return None
    for value in said.values():
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            continue
    return None
