"""The change freeze of an error budget policy (https://sre.google/workbook/error-budget-policy/): what makes the tables of a
dataset whose budget is exhausted is not changed until the budget has recovered, or somebody approves the change.

Frozen is what people deploy: models, macros, seeds, packages and contracts. Data flow on and days are built again, healed ones
too, as long as they are built with what the last build was made with. What judges them, reference tables (which each run loads
anew), settings and versions are not frozen.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import MART_SOURCES
from reliability_platform.formats import joined
from reliability_platform.incidents.changes.concern import Concern, UpstreamLineage
from reliability_platform.incidents.changes.what_changed import ranked
from reliability_platform.lineage.graph import NodeKind
from reliability_platform.settings import Settings
from reliability_platform.slo.objectives import DATASETS, objectives_of
from reliability_platform.slo.status import ObjectiveStatus, status
from reliability_platform.warehouse.built import SILVER, STAGING
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.fingerprints.collect import fingerprint_of
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, InputKind
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints

DEPLOYED = frozenset(
    {
        *(InputKind.MODEL, InputKind.CONTRACT, InputKind.MACRO),
        *(InputKind.SEED, InputKind.PROJECT_FILE, InputKind.DBT_PACKAGE),
    }
)
NAMED = 3
"""So many files and datasets stand in the message."""


def frozen_changes(settings: Settings, engine: Engine, now: datetime) -> str | None:
    """What a build would deploy now though it is frozen, in words; None if nothing is, or the setting is off."""
    store = BuildFingerprints(engine)
    origin = store.deployed() if settings.change_freeze else None
    if origin is None:
        return None
    before, after = _deployed(store.read(origin.fingerprint)), _deployed(fingerprint_of(settings))
    if before == after:
        return None
    exhausted = status(engine, objectives_of(settings), now).exhausted
    manifest = ensure_manifest(settings.dbt_project) if exhausted else None
    changed: dict[str, None] = {}
    frozen: list[ObjectiveStatus] = []
    for one in exhausted:
        assert manifest is not None
        found = ranked(before, after, UpstreamLineage.above(manifest, *_tables(one.objective.dataset)))
        makes = [change.name for change in found if change.nearness.concern is not Concern.ELSEWHERE]
        changed |= dict.fromkeys(makes)
        frozen += [one] if makes else []
    return _words(list(changed), frozen, origin.build) if frozen else None


def _deployed(fingerprint: BuildFingerprint) -> BuildFingerprint:
    return BuildFingerprint(tuple(one for one in fingerprint.inputs if one.kind in DEPLOYED))


def _tables(dataset: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """The nodes of a published table, or of a source from its files to silver; and the sources."""
    sources = DATASETS[dataset]
    if dataset in MART_SOURCES:
        return {dataset: 0}, sources
    return {node.format(source=dataset): 0 for node in (f"{NodeKind.BRONZE}/{{source}}", STAGING, SILVER)}, sources


def _words(changed: Sequence[str], frozen: Sequence[ObjectiveStatus], build: int) -> str:
    worst = min(frozen, key=lambda one: one.budget.remaining)
    datasets = list(dict.fromkeys(one.objective.dataset for one in frozen))
    return (
        f"{joined(changed, NAMED)} changed since build {build} and would change {joined(datasets, NAMED)}, frozen until the error budget has "
        f"recovered ({worst.objective.dataset} {worst.objective.name}: {worst.budget.words.rstrip('.')}): take the change back, "
        "or have it approved"
    )
