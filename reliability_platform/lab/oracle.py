"""The oracle: what would be published if no failure had ever happened.

A second home, built from the clean source alone by the same admission, the same dbt models and the same publication.
It is always built anew: a proof that reuses an old result proves nothing.

Of a source that the lab neither simulates nor has recorded nobody knows what it should have sent. There the same days are
built anew from what has landed, with the decisions of people: that proves that what is published is what a full build gives, no more.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.lab.clean import clean_reference, clean_sources
from reliability_platform.lab.processes import begin
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.landing.reference import load_reference
from reliability_platform.landing.writer import write_batch
from reliability_platform.lineage.columns import personal_columns
from reliability_platform.settings import DBT_PROJECT, OWN_DBT_PROJECT, Settings, load_settings
from reliability_platform.warehouse.comparison import TableComparison, compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import TransformFailedError, build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.own_lacks import comparable_marts
from reliability_platform.warehouse.publication import CURRENT, Partition, publish


def build_oracle(
    settings: Settings, partitions: Sequence[Partition], on_step: Callable[[str], None] = lambda _: None
) -> Settings:
    """Build the oracle's home over the given landed partitions; returns its settings."""
    ensure_manifest()
    shutil.rmtree(settings.oracle, ignore_errors=True)
    oracle = settings.apart(settings.oracle).model_copy(update={"dbt_project": DBT_PROJECT})
    on_step("clean deliveries")
    clean = clean_sources(settings)
    if clean:
        load_reference(oracle, clean_reference(settings))
    else:
        _copy(settings, oracle, settings.reference)
    for source in sorted({source for source, _ in partitions} - set(clean)):
        _copy(settings, oracle, settings.landing / source)
        _copy(settings, oracle, settings.decisions / source)
    for source, day in partitions:
        for batch in clean[source].deliver(day) if source in clean else ():
            write_batch(oracle, batch)
        admit(oracle, source, day)
    on_step("dbt")
    days = [day for _, day in partitions]
    failed = [node for node in build(oracle, min(days), max(days), command="run") if node.status == "error"]
    if failed:
        raise TransformFailedError(f"The oracle could not be built: {failed[0].name}: {failed[0].message}")
    on_step("publication")
    publish(oracle, marts(ensure_manifest()), partitions, {}, utc_now(), "oracle")
    return oracle


def _copy(settings: Settings, oracle: Settings, folder: Path) -> None:
    """A folder of the home in the oracle's."""
    if folder.exists():
        shutil.copytree(folder, oracle.home / folder.relative_to(settings.home))


class OracleBeside:
    """The oracle of what has landed so far, built in another process while faults are injected here: of what is broken it
    reads nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._partitions = landed_partitions(settings)
        known = {source for source, _ in self._partitions} <= set(clean_sources(settings))
        self._process = begin(__name__, str(settings.home), self._partitions) if known else None

    def is_built(self, partitions: Sequence[Partition]) -> bool:
        """Whether it is there, and of these partitions; waits for its end. Never where deliveries or decisions of the home go into
        it, nor where it could not be built: whoever builds it then hears why.
        """
        if self._process is None:
            return False
        self._process.join()
        return self._process.exitcode == ExitCode.OK and list(partitions) == list(self._partitions)


def main(home: str, partitions: Sequence[Partition]) -> None:
    """Build the oracle of a home in a process of its own."""
    build_oracle(load_settings(Path(home)), partitions)


def verify(
    settings: Settings,
    partitions: Sequence[Partition],
    on_step: Callable[[str], None] = lambda _: None,
    *,
    beside: OracleBeside | None = None,
) -> list[TableComparison]:
    """Compare every published table with the oracle's, row for row; it is built first, if it is not being built `beside`."""
    if not partitions or not (settings.published / CURRENT).exists():
        raise UsageError("Nothing is published yet: run `reliability demo` or `reliability run` first.")
    if beside is None or not beside.is_built(partitions):
        build_oracle(settings, partitions, on_step)
    oracle = settings.apart(settings.oracle)
    on_step("comparison")
    manifest = ensure_manifest()
    names = [mart.name for mart in comparable_marts(manifest)]
    # The columns of an own dbt project are called as their owner likes: which of them are personal, lineage says.
    personal = (lambda table: personal_columns(manifest, table)) if OWN_DBT_PROJECT is not None else None
    return compare_tables(names, settings.published / CURRENT, oracle.published / CURRENT, personal)
