"""What kept a run from being recorded, in a file beside Dagster's storages whose room was taken when the run was made.

A run whose end cannot be written stays "started" in Dagster's storage, like one whose process was killed. The storages
are the one place that every run passes, of the command line and of the daemon alike; so they leave word here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEvent, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData

from reliability_platform.causes import STOPPED, UNFORESEEN, cause_of
from reliability_platform.ending import STOPPED_WORDS, Ending, begun, ended, reserve, tell, told
from reliability_platform.masking import error_text
from reliability_platform.orchestration.kept_engines import KeptConnections
from reliability_platform.system_errors import foreseen

ENDINGS = "endings"
"""The folder in Dagster's home; a file per run that has not ended, or whose word nobody has read yet."""


class RunEndings:
    """The files of one Dagster home. The outcome that they tell is the name of a cause."""

    def __init__(self, dagster_home: Path) -> None:
        self._home, self._folder = dagster_home, dagster_home / ENDINGS
        self._made_here: set[str] = set()

    def reserve(self, run_id: str) -> None:
        """Take the room for a run's word. Raises `OSError` if there is none."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / run_id
        try:
            with path.open("wb") as file:
                reserve(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._made_here.add(run_id)
        begun(path, partial(self._leave_word, run_id, Ending(STOPPED.name, STOPPED_WORDS)))

    @contextmanager
    def told_if_it_fails(self, run_id: str | None = None) -> Iterator[None]:
        """Leave word of an error that keeps something from being recorded of a run, or of all that this process has made
        and that have not ended: reading fails on a full disk, too, and need not say of which run.
        """
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            ending = self._ending(error)
            for one in self._made_here if run_id is None else (run_id,):
                self._leave_word(one, ending)
            raise

    def _ending(self, error: Exception | KeyboardInterrupt) -> Ending:
        if isinstance(error, KeyboardInterrupt):
            return Ending(STOPPED.name, STOPPED_WORDS)
        said = foreseen(error, self._home) or error
        return Ending((cause_of(said) or UNFORESEEN).name, error_text(said))

    def _leave_word(self, run_id: str, ending: Ending) -> None:
        with suppress(OSError), (self._folder / run_id).open("r+b") as file:
            if told(file.fileno()) is None:  # the first is the one that others came of
                tell(file.fileno(), ending)

    def told(self, run_id: str) -> Ending | None:
        """The word that was left of a run; None if there is none, as of one whose process was killed."""
        try:
            with (self._folder / run_id).open("rb") as file:
                return told(file.fileno())
        except FileNotFoundError:
            return None

    def forget(self, run_id: str) -> None:
        """Remove the file of a run: it is recorded, or its word has been read."""
        ended(self._folder / run_id)
        (self._folder / run_id).unlink(missing_ok=True)
        self._made_here.discard(run_id)


def endings_of(instance: DagsterInstance) -> RunEndings:
    """The files of an instance."""
    storage = instance.run_storage
    if isinstance(storage, WordLeaving):
        return storage.endings
    return RunEndings(Path(instance.root_directory))


class WordLeaving:
    """What takes the room when a run is made, and leaves word when it cannot be written. Stands before the storage among the
    bases.
    """

    endings: RunEndings

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Make a run, once there is the room for its word."""
        self.endings.reserve(dagster_run.run_id)
        try:
            made: DagsterRun = super().add_run(dagster_run)  # type: ignore[misc]
        except BaseException:
            self.endings.forget(dagster_run.run_id)
            raise
        return made

    def handle_run_event(self, run_id: str, event: DagsterEvent, update_timestamp: Any = None) -> None:
        """Record a change of a run's state."""
        with self.endings.told_if_it_fails(run_id):
            super().handle_run_event(run_id, event, update_timestamp)  # type: ignore[misc]
        status = EVENT_TYPE_TO_PIPELINE_RUN_STATUS.get(event.event_type)
        # Of one that was ended for it (by the next command, by the daemon), the word is still to be read.
        if status is DagsterRunStatus.SUCCESS or (status in FINISHED_STATUSES and self.endings.told(run_id) is None):
            self.endings.forget(run_id)


class WordLeavingSqliteRunStorage(WordLeaving, KeptConnections, SqliteRunStorage):
    """Dagster's run storage in SQLite."""

    last_table = "instance_info"

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """As Dagster makes it from its configuration; the files are where they have always been."""
        home = Path(config_value["base_dir"])
        made: Self = cls.opened(home / "history", "runs", inst_data)
        made.endings = RunEndings(home)
        return made
