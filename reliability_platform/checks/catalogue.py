"""Every check, declared: what it guards, what its failure means, whether it holds the publication.

A SodaCL check whose name is not declared here is refused when the files are read; so is a declared one that no file
holds. Names are `<dataset>__<property>`, the same in Soda, in Dagster and in incidents.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reliability_platform.checks.relations import IMPACT, relation_check
from reliability_platform.checks.soda_files import names_in_files
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Column
from reliability_platform.contracts.relations import RelationKind
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.profiles.metrics import silver
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import (
    Mart,
    ModelCheck,
    ModelTest,
    marts,
    model_checks,
    model_names,
    model_tests,
    reconciled_sources,
)
from reliability_platform.warehouse.own_built import OwnTable, own_tables


@dataclass(frozen=True)
class CheckSpec:
    """One declared check."""

    name: str
    dataset: str
    engine: str
    """`soda`, `native` or `dbt`."""
    sources: tuple[str, ...]
    """The sources whose landing day a failure concerns; the first one is where it is filed."""
    failure_class: str
    blocking: bool
    """Whether a failure holds the publication of the landing day."""
    severity: str
    description: str
    recovery: str
    column: str | None = None
    requires_history: bool = False
    compares_tables: bool = False
    """Whether it compares a layer with the one before, or one source with another: what had passed may fail later, and
    is judged anew before each publication."""

    @property
    def source(self) -> str:
        """The source under which results are filed."""
        return self.sources[0]


@dataclass(frozen=True)
class _Property:
    failure_class: str
    blocking: bool
    severity: str
    description: str
    recovery: str
    compares_tables: bool = False


_HEAL = "`reliability heal` asks the source for the affected batches again and re-runs the day."
_BOTH_SIDES = "`reliability heal` asks both sources for the batches of the day again and re-runs it."
_LOOK = "See the rejected rows with `reliability quarantine list`; then `reliability heal`."
_AGAIN = "`reliability heal` runs the days again: a build begins anew and leaves nothing half-done."
_REBUILD = "A transformation is wrong: mend the model, then `reliability run --from DAY --to DAY`."
_NOTHING = "Nothing to do: duplicates never pass silver. `reliability heal` verifies it and resolves the incident."
_IGNORED = "Nothing to do: the batch is known and was ignored. `reliability heal` verifies it."
_RECOMPUTE = "`reliability heal` recomputes the event dates concerned."
_WATCH = "Consumers keep the last good rows; ask the owner of the source."

# property, or kind of property → what its failure means
_SODA_PROPERTIES = {
    "schema": _Property("schema_break", True, "P1", "All columns of the contract are there.", _HEAL),
    "row_count": _Property("missing_data", True, "P1", "The day has rows.", _HEAL),
    "missing": _Property("null_spike", True, "P2", "A required field is filled in at least 99 % of the rows.", _HEAL),
    "valid_payload": _Property("payload_corruption", True, "P2", "At least 99 % of the texts are JSON.", _LOOK),
    "valid": _Property("unknown_values", True, "P2", "At least 99 % of the values are known ones.", _LOOK),
    "readable": _Property("invalid_values", True, "P2", "At least 99 % of the texts are of their type.", _LOOK),
    "range": _Property("invalid_values", True, "P2", "At least 99 % of the values are within their range.", _LOOK),
    "known_references": _Property("broken_references", True, "P2", "References lead somewhere.", _LOOK),
    "no_future_event_time": _Property("future_data", True, "P1", "No event lies after its own landing.", _LOOK),
    "repeated_keys": _Property("duplicate_delivery", False, "P2", "Under 1 % of the keys came twice.", _NOTHING),
    "freshness": _Property("freshness_breach", False, "P2", "The newest event is of the landing day.", _WATCH),
    "duplicate_keys": _Property("transform_failure", True, "P1", "Silver holds each key once.", _REBUILD),
    "missing_event_date": _Property("transform_failure", True, "P1", "Silver knows each event date.", _REBUILD),
    "possible_measures": _Property("transform_failure", True, "P1", "No measure is negative or null.", _REBUILD),
    "share_within_bounds": _Property("transform_failure", True, "P1", "Shares lie within 0 and 1.", _REBUILD),
}

_OF_THE_TEAM = _Property("transform_failure", True, "P1", "A check that whoever wrote the table has written.", _REBUILD)


SILVER_VS_GOLD = "rec_silver__vs__gold"
"""The model that compares each measure of the marts with what it must add up to, if any of them says so."""


def _models() -> tuple[list[Mart], list[ModelCheck], set[str], list[ModelTest], list[OwnTable]]:
    """What dbt's manifest says of the marts, of the checks that models declare, of which sources some measures are added up
    again, and the tests and tables of an own dbt project."""
    try:
        manifest = ensure_manifest()
    except (EnvironmentUnusableError, UsageError):  # whoever needs a model says so; the doctor must be able to speak
        return [], [], set(), [], []
    found = marts(manifest)
    # One that a person has written says nothing of its sources.
    reconciled = reconciled_sources(manifest) or {source for mart in found for source in mart.sources}
    there = reconciled if SILVER_VS_GOLD in model_names(manifest) else set[str]()
    return found, model_checks(manifest), there, model_tests(manifest), own_tables(manifest)


MARTS, MODEL_CHECKS, RECONCILED, _TESTS, OWN_TABLES = _models()
MODEL_TESTS = {test.unique_id: test for test in _TESTS}
"""The tests of an own dbt project, by dbt's id: each is a check of its own. The platform's own are one, `dbt_build`."""
MART_SOURCES = {mart.name: mart.sources for mart in MARTS}


def _soda_properties(source: str) -> Iterator[tuple[str, str | None, str]]:
    """The checks of a staging table: property, the column that it is about, and whose meaning it has."""
    contract = CONTRACTS[source]
    columns = contract.columns
    yield "schema", None, "schema"
    yield "row_count", None, "row_count"
    if any(one.is_read_from_text(contract.file_format) for one in columns):
        yield "readable", None, "readable"
    for one in columns:
        if one.is_never_missing:
            yield f"missing_{one.name}", one.name, "missing"
        if one.json:
            yield f"valid_{one.name}", one.name, "valid_payload"
        elif contract.allowed_values(one):
            yield f"valid_{one.name}", one.name, "valid"
        if one.minimum is not None or one.maximum is not None:
            yield f"range_{one.name}", one.name, "range"
    if any(one.references and one.references.table not in CONTRACTS for one in columns):
        yield "known_references", None, "known_references"
    for name in ("no_future_event_time", "repeated_keys", "freshness"):
        yield name, None, name


def _spec(
    name: str,
    dataset: str,
    sources: tuple[str, ...],
    meaning: _Property,
    *,
    engine: str = "native",
    requires_history: bool = False,
    column: str | None = None,
) -> CheckSpec:
    return CheckSpec(
        name=name,
        dataset=dataset,
        engine=engine,
        sources=sources,
        failure_class=meaning.failure_class,
        blocking=meaning.blocking,
        severity=meaning.severity,
        description=meaning.description,
        recovery=meaning.recovery,
        column=column,
        requires_history=requires_history,
        compares_tables=meaning.compares_tables,
    )


def about_columns(what: str, columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Columns that are judged alike, each with the name of its check: only several need to say which they are about."""
    return [(one.name, what if len(columns) == 1 else f"{one.name}_{what}") for one in columns]


def _of_mart(mart: str, sources: tuple[str, ...]) -> Iterator[CheckSpec]:
    """The checks that the Soda file of a mart holds: whatever fails there, a transformation is wrong."""
    for name in sorted(one for one in names_in_files() if one.startswith(f"{mart}__")):
        meaning = _SODA_PROPERTIES.get(name.removeprefix(f"{mart}__"), _OF_THE_TEAM)
        meaning = replace(meaning, failure_class="transform_failure", recovery=_REBUILD)
        yield _spec(name, mart, sources, meaning, engine="soda")


def _soda_checks() -> list[CheckSpec]:
    specs = []
    for source in SOURCES:
        staging = f"stg_{source}"
        for name, column, meaning in _soda_properties(source):
            what = _SODA_PROPERTIES[meaning]
            specs.append(_spec(f"{staging}__{name}", staging, (source,), what, engine="soda", column=column))
        silver = f"int_{source}__deduplicated"
        for name in ("duplicate_keys", "missing_event_date"):
            specs.append(_spec(f"{silver}__{name}", silver, (source,), _SODA_PROPERTIES[name], engine="soda"))
    for mart, sources in MART_SOURCES.items():
        specs += _of_mart(mart, sources)
    return specs


_BRONZE = {
    "batch_completeness": _Property(
        "missing_data", True, "P1", "Every batch that the schedule promises was admitted.", _HEAL
    ),
    "schema_contract": _Property(
        "schema_break",
        True,
        "P1",
        "No file was refused for its columns.",
        "`reliability heal` replays a file whose columns, read in another way, agree with the past: under another name only "
        "once a person approves. Otherwise it asks the source again.",
    ),
    "file_integrity": _Property(
        "file_corruption",
        False,
        "P1",
        "No file was refused as unreadable, cut short, without or against its manifest.",
        "See `reliability quarantine list`; remove a stray file from landing, or `reliability heal`.",
    ),
    "duplicate_batches": _Property(
        "duplicate_delivery", False, "P2", "No batch has the very bytes of an earlier one.", _NOTHING
    ),
    "no_unasked_attempts": _Property(
        "unasked_attempt",
        False,
        "P2",
        "No attempt that nobody asked for contradicts a good one of its slot.",
        "`reliability quarantine replay --batch BATCH` takes it, `quarantine discard --batch BATCH` refuses it; "
        "`reliability heal --incident ID` asks the source which is right.",
    ),
    "landed_on_time": _Property("freshness_breach", False, "P2", "All batches landed before their deadline.", _WATCH),
    "arrival_agrees": _Property(
        "clock_disagreement",
        False,
        "P3",
        "What manifests say of their landing does not contradict when we saw it.",
        "Nothing to do for the rows: lateness is judged by our own time. Tell the owner of the source.",
    ),
    "not_silent": _Property("source_silent", True, "P1", "Something came on the landing day.", _HEAL),
    "no_unknown_columns": _Property(
        "schema_addition",
        False,
        "P3",
        "No batch has a column that the contract neither knows nor announces.",
        "Nothing is lost: the values are in the rescued-data column. Take the column into the contract or announce it.",
    ),
    "no_stale_batches": _Property(
        "stale_redelivery", False, "P3", "No batch of an earlier landing day came again.", _IGNORED
    ),
}
_OFFSETS = _Property(
    "missing_data",
    True,
    "P1",
    "Every offset of the topic has landed.",
    "Offsets that the topic did not keep until they were read: ask the owner of the source to send the records again, and let the "
    "topic keep them longer. Where a batch is gone from landing, put it back from a snapshot.",
)
_KEEPS_UP = _Property(
    "freshness_breach",
    False,
    "P2",
    "Landing is behind the topic by less than the latency of the contract.",
    "See whether the daemon runs and how long a landing takes; what waits in the topic lands with the next ones.",
)
_STAGING = {
    "late_share": _Property(
        "late_data",
        False,
        "P3",
        "Under 2 % of the rows are of an earlier day, or no more than chance makes them.",
        _RECOMPUTE,
    ),
    "reject_share": _Property("reject_share", True, "P2", "Under 1 % of the rows are rejected.", _LOOK),
}
_CONFLICT = _Property("key_conflict", True, "P1", "No key came twice on a day with different contents.", _LOOK)
_PAYLOAD = {
    "no_poison": _Property("poison_message", False, "P3", "No record breaks parsers.", _LOOK),
    "no_personal_data": _Property(
        "pii_leak",
        True,
        "P0",
        "No card number or mail address stands in free text.",
        "The rows are masked. `reliability heal` asks for clean ones; purge the raw files after that.",
    ),
}
_APPROVE = "Ask the owner whether it is real; `reliability heal --incident ID` asks the source again."
_VOLUME = _Property(
    "volume_anomaly",
    True,
    "P2",
    "Rows of the day lie within 29 % (or 6 robust standard deviations) of the same weekday in the source's own past.",
    _APPROVE,
)
_SCALE = _Property(
    "distribution_shift",
    True,
    "P1",
    "The median of the measure, overall and by segment, is within 30 % (or 6 standard errors) of the source's own past.",
    _APPROVE,
)
_SHIFTED = _Property(
    "shifted_timestamps",
    True,
    "P1",
    "Rows of a batch are of its slot or a neighbouring one, but for 2 % more than in the source's own past.",
    _HEAL,
)
_KEY_SHARE = _Property(
    "key_skew",
    False,
    "P2",
    "Nobody has more than a tenth of the rows, or 4 times the usual largest share.",
    _APPROVE,
)
_PROFILE = {
    "profile": _Property(
        "profile_anomaly",
        False,
        "P3",
        "Shares, levels, hours, repetitions and relations of the day are those of the source's own past.",
        _APPROVE,
    ),
    "profile_impact": _Property(
        "profile_anomaly",
        True,
        "P1",
        "What of the day is surely unlike its past concerns less than a tenth of its numbers.",
        _APPROVE,
    ),
}
"""Two checks on one profile: what is told, and what holds the day besides."""
_RULE = _Property("broken_relation", True, "P2", "", _LOOK)
_BETWEEN_ROWS = _Property("broken_relation", False, "P2", "", _APPROVE, True)
_BETWEEN_SOURCES = _Property("sources_disagree", False, "P2", "", _BOTH_SIDES, True)
"""Rules that contracts declare: told of one row, of rows together, of two sources."""
_HELD = _Property(
    "held_late", False, "P2", "No row came later than the watermark allows.", "Held, not lost; approve a backfill."
)
_LOST = _Property(
    "data_loss",
    True,
    "P0",
    "Staging, silver and gold still have rows of each landing day that bronze has.",
    "`reliability heal` builds the days again from bronze. Find out who deleted, and take the right to do so away.",
    compares_tables=True,
)
_CONSERVED = _Property(
    "rows_unaccounted", True, "P1", "Delivered = accepted + duplicate + quarantined + held late.", _REBUILD, True
)
_GOLD = _Property("reconciliation_mismatch", True, "P1", "Gold adds up to silver.", _REBUILD, True)
_TEST = _Property(
    "failed_test",
    True,
    "P2",
    "",
    "Look at the rows that fail; where the data are wrong, their own incident is healed. Else mend the model or the test, "
    "then `reliability run --from DAY --to DAY`.",
)
_DBT = _Property("transform_failure", True, "P1", "Every dbt model was built and every dbt test passed.", _REBUILD)


def _native_checks() -> list[CheckSpec]:
    specs = []
    for source in SOURCES:
        one = (source,)
        specs += [_spec(f"bronze_{source}__{name}", f"bronze_{source}", one, what) for name, what in _BRONZE.items()]
        if CONTRACTS[source].is_stream:
            specs.append(_spec(f"bronze_{source}__offsets_kept", f"bronze_{source}", one, _OFFSETS))
        specs += [_spec(f"stg_{source}__{name}", f"stg_{source}", one, what) for name, what in _STAGING.items()]
        specs.append(_spec(f"stg_{source}__no_conflicting_keys", f"stg_{source}", one, _CONFLICT))
        shifted = f"stg_{source}__rows_of_their_slot"
        specs.append(
            _spec(shifted, f"stg_{source}", one, _SHIFTED, column=CONTRACTS[source].event_time, requires_history=True)
        )
        silver = f"int_{source}__deduplicated"
        specs.append(_spec(f"{silver}__no_rows_lost", silver, one, _LOST))
        specs.append(_spec(f"{silver}__volume", silver, one, _VOLUME, requires_history=True))
        specs += [
            _spec(f"{silver}__{name}", silver, one, what, requires_history=True) for name, what in _PROFILE.items()
        ]
        contract = CONTRACTS[source]
        for column, name in about_columns("key_share", contract.with_role("entity")):
            specs.append(_spec(f"{silver}__{name}", silver, one, _KEY_SHARE, column=column, requires_history=True))
        for measure in contract.with_role("measure"):
            name = f"{silver}__{measure.name}_scale"
            specs.append(_spec(name, silver, one, _SCALE, column=measure.name, requires_history=True))
        for what, meaning in _PAYLOAD.items():
            for column, name in about_columns(what, contract.nested):
                specs.append(_spec(f"stg_{source}__{name}", f"stg_{source}", one, meaning, column=column))
        specs.append(_spec(f"hld_too_late__no_{source}", "hld_too_late", one, _HELD))
        specs.append(_spec(f"rec_batches__conserved__{source}", "rec_batches__conserved", one, _CONSERVED))
        if source in RECONCILED:
            specs.append(_spec(f"{SILVER_VS_GOLD}__{source}", SILVER_VS_GOLD, one, _GOLD))
    return specs


def _relation_checks() -> Iterator[CheckSpec]:
    for source in SOURCES:
        for one in CONTRACTS[source].relations:
            sources = tuple(dict.fromkeys((source, one.other_source or source)))
            meaning = _RULE if one.of_rows else _BETWEEN_SOURCES if one.other_source else _BETWEEN_ROWS
            holds = one.kind in (RelationKind.QUERY, RelationKind.LEADS_TO)
            meaning = replace(meaning, blocking=meaning.blocking or holds, description=one.description or one.text)
            name, table = relation_check(source, one), f"stg_{source}" if one.of_rows else silver(source)
            yield _spec(name, table, sources, meaning, column=one.column)
            if not one.of_rows and not holds:
                holding = replace(meaning, blocking=True, severity="P1")
                yield _spec(f"{name}{IMPACT}", table, sources, holding, column=one.column)


def _model_checks() -> Iterator[CheckSpec]:
    for one in MODEL_CHECKS:
        recovery = _BOTH_SIDES if len(one.sources) > 1 else _HEAL
        meaning = _Property(one.failure_class, True, "P1", one.description, recovery, True)
        yield _spec(f"{one.model}__{one.name}", one.model, one.sources, meaning)


def _dbt_checks() -> list[CheckSpec]:
    builds = [_spec(f"dbt_build__{source}", "dbt_build", (source,), _DBT, engine="dbt") for source in SOURCES]
    tests = [
        _spec(
            test.check,
            test.dataset,
            test.sources or SOURCES[:1],
            replace(
                _TEST, blocking=test.blocking, severity="P2" if test.blocking else "P3", description=test.description
            ),
            engine="dbt",
            column=test.column,
        )
        for test in (MODEL_TESTS.values() if SOURCES else ())
    ]
    return builds + tests


_BUILDS = {
    "ended": _Property("run_killed", False, "P1", "No build of the day was killed.", _AGAIN),
    "written": _Property("write_failure", False, "P1", "Every build of the day could write.", _AGAIN),
    "alone": _Property("unsafe_backfill", False, "P1", "No build was refused as unsafe.", _AGAIN),
    "in_time": _Property(
        "day_not_run",
        False,
        "P1",
        "A build of the day had begun within two hours of its turn, while the schedules were on.",
        "`reliability heal` runs the day from landing on; find out why the daemon did not.",
    ),
}


_UPKEEP = {
    "snapshot_taken": _Property(
        "recovery_at_risk",
        False,
        "P2",
        "The last snapshot did not fail.",
        "",
    ),
    "snapshot_fresh": _Property("recovery_at_risk", False, "P2", "The newest snapshot is young enough.", ""),
    "drill_ended": _Property("recovery_at_risk", False, "P2", "The last rehearsals on schedule ran to their end.", ""),
    "snapshot_replicated": _Property(
        "recovery_at_risk", False, "P2", "The second place of the snapshots has the newest one.", ""
    ),
    "published_copied": _Property(
        "recovery_at_risk", False, "P2", "The copy of the published tables shows what the home shows.", ""
    ),
    "drills_met": _Property(
        "recovery_at_risk",
        False,
        "P2",
        "The last drill of each kind met its objectives, the last experiment of each held.",
        "",
    ),
    "drills_in_time": _Property("recovery_at_risk", False, "P2", "No drill and no experiment is overdue.", ""),
    "incidents_noticed": _Property(
        "recovery_at_risk", False, "P2", "Every step from failed checks to incidents ended well.", ""
    ),
    "alerts_told": _Property("recovery_at_risk", False, "P2", "Every step from incidents to alerts ended well.", ""),
    "room": _Property("capacity_low", False, "P2", "There is as much room on the disk as the settings ask for.", ""),
    "memory": _Property("capacity_low", False, "P2", "As much memory is available as the settings ask for.", ""),
}
_UPKEEP_RECOVERY = {
    "recovery_at_risk": "`reliability doctor` says which; then `reliability snapshot create`, or `reliability drill table-loss`. "
    "A refuted experiment names its claim in `drills/` of the home. Where a step failed, mend what its error says.",
    "capacity_low": "Make room or add memory; the incident ends by itself once there is enough.",
}
_RUNS = {
    "ended": _Property("run_killed", False, "P1", "No run over the day was killed.", _AGAIN),
    "written": _Property("write_failure", False, "P1", "Every run over the day could write.", _AGAIN),
    "completed": _Property("run_failed", False, "P1", "No stage of a run over the day failed.", _AGAIN),
}


_ANSWERS = _Property(
    "upstream_unavailable",
    False,
    "P2",
    "The source turned away fewer than 3 requests, and left no batch out.",
    "`reliability heal` asks for the batches that did not come, once the source answers again.",
)
_REACH = _Property(
    "upstream_unavailable",
    False,
    "P3",
    "What is missing can still come before its deadline, with a quarter of an hour to spare.",
    "See `reliability sources`; ask the owner of the source now, while there is time.",
)


_PLACED = _Property(
    "misplaced_delivery",
    False,
    "P2",
    "Everything in landing lies in a landing day of a declared source.",
    "Move each entry where it belongs, or out of landing; the next look finds it gone.",
)
_NOTICED = _Property(
    "misplaced_delivery",
    False,
    "P2",
    "Nothing has lain in a landing day for a day without being examined.",
    "`reliability backfill --from DAY --to DAY` examines the day.",
)
_AS_BUILT = _Property(
    "reconciliation_mismatch",
    False,
    "P1",
    "Staging, silver and quarantine hold the rows that the last build left there.",
    "`reliability heal` builds the days again. Find out who writes to the warehouse besides the pipeline.",
)
_OWN_AS_BUILT = replace(
    _AS_BUILT, description="A table of your dbt project holds the rows that the last build left there."
)
_PUBLISHED = {
    "as_audited": _Property(
        "published_damage",
        False,
        "P1",
        "What consumers read has the checksums with which it was published, and the pointer leads to it.",
        "`reliability heal` puts back what an older version, a snapshot or the operations store has as it was.",
    ),
}


_NO_REPORT = _Property(
    "reported_by_people",
    False,
    "P2",
    "Nobody has reported something wrong that is not settled.",
    "Look at what was reported; `reliability incidents resolve ID --why TEXT` says that it is settled.",
)


_NO_FAILED_IMPORT = _Property(
    "imported_test",
    False,
    "P2",
    "No test of another tool fails of those that were handed in.",
    "See which test failed and where; `reliability checks import FILE` takes in what the tool says after it was mended.",
)


def _told_of() -> dict[str, tuple[str, ...]]:
    """What people and other tools speak of: a source, or a published table; and its sources."""
    return {f"stg_{source}": (source,) for source in SOURCES} | MART_SOURCES


def _told() -> list[CheckSpec]:
    """What people report, and what other tools say; nothing here evaluates it."""
    return [
        _spec(f"{dataset}__{name}", dataset, sources or SOURCES[:1], what, engine="run")
        for name, what in (("no_report", _NO_REPORT), ("imported_tests", _NO_FAILED_IMPORT))
        for dataset, sources in _told_of().items()
        if SOURCES
    ]


IMPORTED = {dataset: f"{dataset}__imported_tests" for dataset in _told_of()}
"""By dataset, the check under which the results of other tools' tests are kept."""


def _run_checks() -> list[CheckSpec]:
    """Those of builds, runs and of the home are filed under the first source, for they concern all; monitors report when
    there is news.
    """
    builds = [
        _spec(f"{dataset}__{name}", dataset, SOURCES[:1], what, engine="run")
        for dataset, properties in (("dbt_build", _BUILDS), ("pipeline_run", _RUNS), ("published", _PUBLISHED))
        for name, what in properties.items()
    ]
    fetches = [
        _spec(f"bronze_{source}__{name}", f"bronze_{source}", (source,), what, engine="run")
        for source in SOURCES
        for name, what in (
            ("source_answers", _ANSWERS),
            ("deadline_within_reach", _REACH),
            ("nothing_misplaced", _PLACED),
            ("nothing_unexamined", _NOTICED),
        )
    ]
    topics = [
        _spec(f"bronze_{source}__stream_keeps_up", f"bronze_{source}", (source,), _KEEPS_UP, engine="run")
        for source in SOURCES
        if CONTRACTS[source].is_stream
    ]
    upkeep = [
        _spec(
            f"home__{name}",
            "home",
            SOURCES[:1],
            replace(what, recovery=_UPKEEP_RECOVERY[what.failure_class]),
            engine="run",
        )
        for name, what in _UPKEEP.items()
    ]
    layers = [
        _spec(f"stg_{source}__as_built", f"stg_{source}", (source,), _AS_BUILT, engine="run") for source in SOURCES
    ]
    layers += [_spec(f"{one.name}__as_built", one.name, one.sources, _OWN_AS_BUILT, engine="run") for one in OWN_TABLES]
    return builds + fetches + topics + layers + upkeep + _told()


CHECKS: dict[str, CheckSpec] = {
    spec.name: spec
    for spec in (
        *_soda_checks(),
        *_native_checks(),
        *_relation_checks(),
        *_model_checks(),
        *_dbt_checks(),
        *_run_checks(),
    )
}
