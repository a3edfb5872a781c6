"""The report as one JSON document."""

from typing import Any

from reliability_platform.mutation.messages import said
from reliability_platform.mutation.proof import Proof
from reliability_platform.mutation.score import Score, by, by_build, by_tool, column_of, unguarded, worth_of_tests
from reliability_platform.mutation.session import Tested
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus

FORMAT_VERSION = 1


def document(tested: Tested, proof: Proof | None = None) -> dict[str, Any]:
    """All that was found. Its keys do not change their meaning while `format_version` stays."""
    project, outcomes = tested.project, tested.outcomes
    owners = {one.name: one.owner for one in project.models if one.owner}
    return {
        "format_version": FORMAT_VERSION,
        "project": project.name,
        "seed": tested.seed,
        "seconds": round(tested.seconds, 3),
        "clean_build": {
            "models": tested.clean.models,
            "tests": tested.clean.tests,
            "tests_passed": tested.clean.passed,
            "left_out": [{"name": one.name, "why": one.why} for one in project.left_out],
            "notes": list(project.notes),
            "built_by_dbt": [{"name": one.name, "why": one.through_dbt} for one in project.models if one.through_dbt],
        },
        "inputs": [
            {"name": given.name, "kind": given.kind, "rows": table.rows, "columns": [one.name for one in table.columns]}
            for given, table in tested.inputs
        ],
        "consumers": [{"name": one.name, "models": sorted(one.models)} for one in project.consumers],
        "mutants": {
            "possible": tested.possible,
            "planned": tested.planned,
            "judged": len(outcomes),
            "resumed": tested.resumed,
            **{status.name.lower(): sum(one.status is status for one in outcomes) for status in MutantStatus},
        },
        "score": _score(tested.score),
        "by_tool": _scores(by_tool(project, outcomes)),
        "by_build": _scores(by_build(outcomes)),
        "by_family": _scores(by(outcomes, lambda one: [one.mutant.family])),
        "by_input": _scores(by(outcomes, lambda one: [one.mutant.input.name])),
        "by_column": _scores(by(outcomes, column_of)),
        "by_model": _scores(by(outcomes, lambda one: one.models)),
        "by_owner": _scores(by(outcomes, lambda one: {owners[name] for name in one.models if name in owners})),
        "unguarded_columns": unguarded(outcomes),
        "tests": [
            {
                "name": one.test.name,
                "unique_id": one.test.key,
                "tool": one.test.tool,
                "killed": one.killed,
                "killed_alone": one.alone,
            }
            for one in worth_of_tests(project, outcomes)
        ],
        "outcomes": [_outcome(one) for one in outcomes],
        "proposals": [
            {
                "input": one.candidate.place.name,
                "column": one.candidate.column or None,
                "test": one.entry,
                "kills": list(one.kills),
            }
            for one in tested.proposals
        ],
        "proof": None if proof is None else _proof(tested, proof),
    }


def _proof(tested: Tested, proof: Proof) -> dict[str, Any]:
    return {
        "holds": proof.holds,
        "score": _score(proof.with_them.score),
        "killable": {
            "before": _score(tested.killable.before),
            "after": _score(proof.killable),
            "beyond": dict(tested.killable.beyond),
            "read_by_no_consumer": tested.killable.unread,
        },
        "failing_on_clean_data": list(proof.failing),
        "still_surviving": list(proof.missed),
        "diffs": [one.diff(proof.folder) for one in proof.changes],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "killed": score.killed,
        "counted": score.counted,
        "share": score.share,
        "interval_95": list(score.interval) if score.interval is not None else None,
    }


def _scores(scores: dict[str, Score]) -> dict[str, Any]:
    return {name: _score(one) for name, one in scores.items()}


def _outcome(one: MutantOutcome) -> dict[str, Any]:
    return {
        "key": one.mutant.key,
        "input": one.mutant.input.name,
        "fault": one.mutant.fault,
        "family": one.mutant.family,
        "column": one.mutant.column or None,
        "size": one.mutant.size,
        "build": one.mutant.build,
        "status": one.status.name.lower(),
        "message": said(one),
        "killed_by": [{"unique_id": key, "status": how} for key, how in one.tests],
        "models_changed": list(one.models),
        "consumers_read": [
            {
                "model": change.model,
                "consumers": list(change.consumers),
                "rows_before": change.rows_before,
                "rows_after": change.rows_after,
                "rows_differing": change.differing,
                "sums": {each.column: [each.before, each.after] for each in change.measures},
                "columns": list(change.columns),
            }
            for change in one.changes
        ],
        "error": one.why or None,
        "seconds": round(one.seconds, 4),
        "seconds_of_dbt": round(one.dbt_seconds, 4),
    }
