"""dbt in this process, on the private copy: parsed once, and each later command begins with what was parsed."""

import gc
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reliability_platform.mutation.errors import ProjectUnusableError
from reliability_platform.mutation.private_copy import PrivateFolder
from reliability_platform.mutation.private_profile import PrivateProfile
from reliability_platform.mutation.warehouses.translation import Translations
from reliability_platform.warehouse.dbt_start import compile_when_used

if TYPE_CHECKING:
    from reliability_platform.mutation.servers.native_run import NativeRun

QUIET = ("--quiet", "--log-level=none", "--log-level-file=none", "--no-use-colors", "--no-send-anonymous-usage-stats")
VIEW, TABLE, PLUGIN = "view", "table", "plugin"
WITHOUT_COMMENT = re.compile(r"^\s*/\*.*?\*/", re.DOTALL)
"""The comment that dbt puts before each query."""
COMPILED_AT = re.compile(r"\s*compiled code at [^\n]*")


class DbtCommands:
    """Runs commands of dbt for one project, without a word on the terminal."""

    def __init__(
        self,
        project: Path,
        folder: PrivateFolder,
        profile: PrivateProfile,
        variables: str | None,
        called_in: Path | None = None,
        translations: Translations | None = None,
        inputs: Path | None = None,
        most_rows: int | None = None,
        seed: int = 0,
        native: "NativeRun | None" = None,
    ) -> None:
        self.translations = translations
        self.native = native
        self.folder = folder
        self.inputs = inputs
        self.most_rows, self.seed = most_rows, seed
        self.notes: list[str] = []
        """What came up on the way, for people."""
        self._common = [
            *("--project-dir", str(project), *_folders(folder)),
            *("--target", profile.target, "--profile", profile.name),
            *(("--vars", variables) if variables else ()),
        ]
        self._project = project
        self._called_in = called_in or project
        self._manifest: Any = None

    def parse(self) -> Any:
        """The manifest. Raises `ProjectUnusableError` with dbt's own reason."""
        result = self._invoke(["parse"])
        if not result.success:
            raise ProjectUnusableError(_reason(result, self._project, "parse"))
        self._manifest = result.result
        self._manifest.build_flat_graph()
        return self._manifest

    def results(self, *command: str, executed: dict[str, list[str]] | None = None) -> list[Any]:
        """What became of each node of a command; `executed` gets the statements that dbt executes for each, by its key.

        Raises `ProjectUnusableError` if dbt could not run at all.
        """

        def listen(event: Any) -> None:
            if executed is not None and event.info.name == "SQLQuery":
                text = WITHOUT_COMMENT.sub("", str(event.data.sql), count=1).strip()
                executed.setdefault(str(event.data.node_info.unique_id), []).append(text)

        result = self._invoke(list(command), listen)
        reason = None if result.exception is None else _reason(result, self._project, "build")
        found = list(getattr(result.result, "results", ()) or ())
        if not result.success:
            # An error holds what it passed, a connection among it, and with that the database, closed to all but some files.
            del result
            gc.collect()
        if reason is not None:
            raise ProjectUnusableError(reason)
        return found

    def elsewhere(self, folder: PrivateFolder) -> "DbtCommands":
        """The same project, as parsed here, with the profile and the databases of another private folder."""
        there = copy(self)
        there._common = [*self._common, *_folders(folder)]
        return there

    def for_one_mutant(self) -> "DbtCommands":
        """The same project with tables in the place of views, which would read the clean databases when they are read from there,
        and without plugins for sources, which would load them anew over broken rows.
        """
        there = copy(self)
        there._manifest = self._manifest.deepcopy()
        for node in there._manifest.nodes.values():
            if str(node.config.materialized) == VIEW:
                node.config.materialized = TABLE
        for source in there._manifest.sources.values():
            for meta in (source.meta, source.source_meta, source.config.meta):
                meta.pop(PLUGIN, None)
        return there

    def _invoke(self, command: Sequence[str], listen: Callable[[Any], None] = lambda _: None) -> Any:
        compile_when_used()
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner
        from dbt_common.events.event_manager import EventManager
        from dbt_common.events.event_manager_client import (
            cleanup_event_logger,
            ctx_set_event_manager,
            get_event_manager,
        )

        before = get_event_manager()
        try:
            with _silent(), called_in(self._called_in):
                # One that tells of every statement, which that of the pipeline's builds does not.
                ctx_set_event_manager(EventManager())
                cleanup_event_logger()
                return dbtRunner(manifest=self._manifest, callbacks=[listen]).invoke([*QUIET, *command, *self._common])
        finally:
            ctx_set_event_manager(before)
            # dbt keeps its DuckDB handle for the life of the process; nobody else could open the file.
            for one in (DuckDBConnectionManager, *DuckDBConnectionManager.__subclasses__()):
                one.close_all_connections()  # type: ignore[no-untyped-call]


def _folders(folder: PrivateFolder) -> list[str]:
    where = {"--profiles-dir": folder.profiles, "--target-path": folder.target, "--log-path": folder.target}
    return [word for option, path in where.items() for word in (option, str(path))]


@contextmanager
def _silent() -> Iterator[None]:
    """Models may print (`{{ print(…) }}`), and dbt-duckdb prints what it retried."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


@contextmanager
def called_in(folder: Path) -> Iterator[None]:
    """As if the command had been called in another folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def said_of(result: Any) -> str:
    """What dbt says of a node, in one line and without the private file that is gone when it is read; empty of one that did not run."""
    return " ".join(COMPILED_AT.sub("", str(getattr(result, "message", None) or "")).split())


def _reason(result: Any, project: Path, what: str) -> str:
    said = " ".join(str(result.exception or "dbt gave no reason").split())[:600]
    mends = {
        "dbt deps": f"run `dbt deps` in {project}, which fetches the packages that it names, then try again",
        "disabled by configuration": "name the folder of that file with --reads, if it may be read",
    }
    mend = next((one for sign, one in mends.items() if sign in said), f"`dbt build` in {project} shows where")
    return f"The project does not {what}: {said} — {mend}."
