"""The dbt models as assets and the dbt tests as asset checks, run in this process over the window of the run."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from reliability_platform.checks.catalogue import MODEL_TESTS
from reliability_platform.counted import counted
from reliability_platform.orchestration.backfill_guard import guarded_days
from reliability_platform.orchestration.lineage_events import News, models_told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pipeline import steps
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import TransformFailedError
from reliability_platform.warehouse.marts import read_manifest, without_fed_sources
from reliability_platform.warehouse.own_project import is_own

WAREHOUSE_POOL = "warehouse"


class Translator(DagsterDbtTranslator):
    """Models are named as in dbt; sources link to the assets that write them."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A model's key is its name; a source's key is its layer and name."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """As the model says; one of an own dbt project by its dbt group, else by its project. Dagster takes plain names."""
        said = super().get_group_name(dbt_resource_props)
        if said is None and is_own(dbt_resource_props):
            said = str(dbt_resource_props["package_name"])
        return _plain(said) if said else None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What the model's yml says. Dagster's own adds the SQL, which the list of assets shows as raw Markdown."""
        return str(dbt_resource_props["description"]).strip()

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """A dbt test with what it says, and what it does when it fails."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        test = manifest["nodes"][unique_id]
        generic = test.get("test_metadata")
        said = (
            _generic(generic["name"], test["column_name"], generic["kwargs"]) if generic else _header(test["raw_code"])
        )
        consequence = _consequence(unique_id)
        # A test of an own project must not stop the audit, which judges everything else of its days; the gate holds them.
        blocking = spec.blocking and unique_id not in MODEL_TESTS
        return spec._replace(name=_plain(spec.name), description=f"{said} {consequence}", blocking=blocking)


def _plain(name: str) -> str:
    """A name as Dagster takes one: dbt takes more, as `rides-are-there`."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _consequence(unique_id: str) -> str:
    test = MODEL_TESTS.get(unique_id)
    if test is None:
        return "If it fails, the build ends, and none of its landing days is published before it passes."
    if test.blocking:
        return "If it fails, the landing days of the run are held until it passes."
    return "If it fails, an incident is opened; nothing is held."


def _generic(name: str, column: str | None, arguments: Mapping[str, Any]) -> str:
    """A test of a column says which, a test of a grain names its columns."""
    of = column or ", ".join(map(str, arguments.get("combination_of_columns", ())))
    return f"The dbt test {name} of {of}." if of else f"The dbt test {name}."


def _header(sql: str) -> str:
    """The comment with which the file of a test begins: what a returned row means."""
    return sql.partition("\n")[0].removeprefix("--").strip()


@dbt_assets(
    manifest=without_fed_sources(read_manifest(ensure_manifest())),
    name="dbt",
    partitions_def=LANDING_DAYS,
    backfill_policy=ONE_RUN,
    dagster_dbt_translator=Translator(settings=DagsterDbtTranslatorSettings(enable_code_references=False)),
    pool=WAREHOUSE_POOL,
)
@redact_errors
def dbt_models(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
    """Build staging, quarantine, silver, gold and reconciliations for the landing days of the run."""
    settings = home.settings
    days = guarded_days(context, settings)
    selected = {key.path[-1] for key in context.op_execution_context.selected_asset_keys}
    everything = {key.path[-1] for key in dbt_models.keys}
    with models_told(News(settings, context.run, days)) as models:
        built = steps.build(
            home.run(context.run),
            days,
            select=() if selected == everything else sorted(selected),
            on_model_start=models.started,
        )
        models.ended(built.nodes)
    checks = {spec.name: spec for spec in dbt_models.check_specs if spec.key in context.selected_asset_check_keys}
    for node in built.nodes:
        if node.resource_type in ("model", "seed", "snapshot") and node.status == "success":
            yield dg.MaterializeResult(asset_key=node.name, metadata={"seconds": round(node.seconds, 3)})
        elif node.resource_type == "test" and _plain(node.name) in checks and node.status in ("pass", "warn", "fail"):
            yield dg.AssetCheckResult(
                asset_key=checks[_plain(node.name)].asset_key,
                check_name=_plain(node.name),
                passed=node.status == "pass",
                severity=dg.AssetCheckSeverity.WARN if node.status == "warn" else dg.AssetCheckSeverity.ERROR,
                metadata={"failing_rows": node.failures or 0, **({"message": node.message} if node.message else {})},
            )
    broken = built.failed
    for node in broken:
        context.log.error(f"{node.name}: {node.message}")
    if broken:
        # The results above are recorded: the partitions of this run stay out of publication until this is mended.
        first = broken[0]
        raise TransformFailedError(
            f"{len(broken)} of {counted(len(built.nodes), 'dbt node')} failed, first {first.name}: {first.message.splitlines()[0]}"
            if first.message
            else f"{len(broken)} of {counted(len(built.nodes), 'dbt node')} failed, first {first.name}"
        )
