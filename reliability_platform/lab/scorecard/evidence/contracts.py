"""Every rule of every contract: how many rows were held against it, how many broke it, what the checks say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.relations import relation_check
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Contract
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.lab.scorecard.evidence.schema_drift import drift
from reliability_platform.lab.scorecard.headline import share
from reliability_platform.operations.tables import check_results

FILES, ROWS = "files", "rows"


@dataclass(frozen=True)
class _Rule:
    """One promise about one column."""

    column: str
    rule: str
    promise: str
    reason: str | None
    """Code under which a row is rejected that breaks it; None for rules that files break."""
    check: str | None


def _check(name: str) -> str | None:
    return name if name in CHECKS else None


def _declared(contract: Contract) -> Iterator[_Rule]:
    source = contract.source
    for column in contract.columns:
        name, staged = column.name, f"stg_{source}"
        yield _Rule(name, "present", "the column is there", None, _check(f"bronze_{source}__schema_contract"))
        yield _Rule(name, "type", column.type, None, _check(f"bronze_{source}__schema_contract"))
        if column.required:
            yield _Rule(name, "required", "not null", f"{name}_missing", _check(f"{staged}__missing_{name}"))
        if name in contract.key:
            promise = "no second content under one key"
            yield _Rule(name, "unique", promise, "key_conflict", _check(f"{staged}__no_conflicting_keys"))
        if column.valid_values:
            promise = ", ".join(column.valid_values)
            yield _Rule(name, "valid values", promise, f"{name}_unknown_value", _check(f"{staged}__valid_{name}"))
        if column.minimum is not None or column.maximum is not None:
            promise = f"{column.minimum} to {column.maximum}"
            yield _Rule(name, "range", promise, f"{name}_out_of_range", _check(f"{staged}__range_{name}"))
        if column.references:
            led = contract.references_to_sources.get(name)
            check = _check(f"{staged}__known_references" if led is None else relation_check(source, led))
            yield _Rule(name, "reference", str(column.references), f"{name}_unknown_reference", check)
        if column.json:
            yield _Rule(name, "JSON object or array", "parses", f"{name}_malformed", _check(f"{staged}__valid_{name}"))
        if name == contract.event_time:
            check = _check(f"{staged}__no_future_event_time")
            yield _Rule(name, "not in the future", "before its landing", f"{name}_in_future", check)


def _further(contract: Contract, declared: Sequence[_Rule], reasons: Sequence[str]) -> Iterator[_Rule]:
    """Reasons that the contract does not spell out, as staging gives them."""
    named = {rule.reason for rule in declared}
    for reason in sorted(set(reasons) - named):
        known = contract.rejections[reason]
        yield _Rule(known.column or "", known.rule.replace("_", " "), "staging's own rule", reason, None)


def _status(latest: Sequence[CheckResult], standing: int) -> str:
    if not latest:
        return str(CheckStatus.FAILED if standing else CheckStatus.PASSED)
    for status in (CheckStatus.FAILED, CheckStatus.NOT_EVALUATED):
        if any(result.status is status for result in latest):
            return str(status)
    return str(CheckStatus.PASSED)


def _days_failed(run: GradedRun) -> dict[str, int]:
    """Check → landing days on which it ever failed."""
    query = (
        select(check_results.c.check_name, func.count(check_results.c.partition_date.distinct()))
        .where(check_results.c.status == CheckStatus.FAILED.value)
        .group_by(check_results.c.check_name)
    )
    with run.engine.connect() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(query)}


def _validation(run: GradedRun) -> list[Row]:
    broken = {
        (row["source"], row["reason"]): row
        for row in run.query(
            "select source, reason, count(*) as violations, count(*) filter (where not is_superseded) as standing "
            "from (select source, is_superseded, unnest(string_split(reject_reasons, ',')) as reason from staged "
            "where reject_reasons is not null) group by source, reason order by source, reason"
        )
    }
    rows = {
        row["source"]: row
        for row in run.query(
            "select source, count(*) as checked, count(*) filter (where not is_superseded) as standing "
            "from staged group by source"
        )
    }
    files = {
        row["source"]: row["files"]
        for row in run.query("select source, count(*) as files from admissions where status <> 'ignored' group by all")
    }
    drifted, failed = drift(run), _days_failed(run)
    found: list[Row] = []
    for source in SOURCES:
        contract = CONTRACTS[source]
        declared = list(_declared(contract))
        seen = [reason for name, reason in broken if name == source]
        for rule in [*declared, *_further(contract, declared, seen)]:
            counted: dict[str, Any]
            if rule.reason is None:
                kinds = ("missing", "renamed") if rule.rule == "present" else ("type changed",)
                hits = [
                    one
                    for one in drifted
                    if (one["source"], one["column"]) == (source, rule.column) and one["kind"] in kinds
                ]
                standing = sum(one["outcome"] == "quarantined" for one in hits)
                counted = {"unit": FILES, "checked": files.get(source, 0), "violations": len(hits)}
            else:
                broke = broken.get((source, rule.reason), {"violations": 0, "standing": 0})
                standing = broke["standing"]
                checked = rows.get(source, {"checked": 0})["checked"]
                counted = {"unit": ROWS, "checked": checked, "violations": broke["violations"]}
            latest = [result for result in run.latest_checks if rule.check and result.check == rule.check]
            found.append(
                {
                    "source": source,
                    "column": rule.column,
                    "rule": rule.rule,
                    "promise": rule.promise,
                    **counted,
                    "share": share(counted["violations"], counted["checked"]),
                    "violations_standing": standing,
                    "check": rule.check,
                    "limit": latest[-1].threshold if latest else None,
                    "days_failed": failed.get(rule.check or "", 0) if rule.check else None,
                    "days_failing_now": sum(one.status is CheckStatus.FAILED for one in latest) if rule.check else None,
                    "status": _status(latest, standing),
                }
            )
    return found


VALIDATION = Report(
    name="data_contract_validation_report",
    folder=Folder.SCORECARDS,
    about="Which promises of the contracts were broken, how often, and are they kept now?",
    grain=(
        "One row per source, column and rule, in the order of the contract; then reasons of rejection that the "
        "contract does not spell out."
    ),
    columns=(
        ReportColumn("source", "The source whose contract it is"),
        ReportColumn("column", "Column of the contract; empty for a rule about the whole row"),
        ReportColumn("rule", "What is promised about it"),
        ReportColumn("promise", "The values, range, type or table that the contract names"),
        ReportColumn("unit", "What is counted: files or rows"),
        ReportColumn("checked", "All that were ever delivered and could be read", "see unit"),
        ReportColumn("violations", "Those that broke the rule", "see unit"),
        ReportColumn("share", "Violations of all checked", "share 0 to 1"),
        ReportColumn("violations_standing", "Violations that no later attempt has replaced", "see unit"),
        ReportColumn("check", "Check that guards the rule by landing day; null if none does"),
        ReportColumn("limit", "What that check tolerates on a landing day"),
        ReportColumn("days_failed", "Landing days on which the check ever failed", "days"),
        ReportColumn("days_failing_now", "Landing days on which it fails now", "days"),
        ReportColumn(
            "status", "passed, failed or not_evaluated, by the latest results; by standing violations without a check"
        ),
    ),
    rows=_validation,
)
