"""What dbt does for each node beside its SQL, done once or not at all: a fifth of the CPU of a build of one landing day.

Seen in dbt-core 1.11, the only minor version that the platform takes; `tests/dbt/test_dbt_overhead.py` compares with
dbt's own ways. Of a build of 45 nodes:
- 1,100 events are made into messages, of which two kinds are listened to and none is logged;
- 90 contexts each look up 860 macros by a search through five dictionaries;
- the folders of all installed packages are listed for plugins of dbt;
- each result of a query makes the vocabulary of a parser of dates in words, which dbt never asks: it gives the format.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

LISTENED_TO = ("NodeStart", "NodeFinished")


@lru_cache(maxsize=1)
def spare_overhead() -> None:
    """From now on dbt goes these shorter ways in this process. Whoever gives it a log still finds everything there."""
    import dbt.context.macros
    import parsedatetime  # type: ignore[import-untyped]
    from dbt.plugins.manager import PluginManager
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    class HeardEvents(EventManager):
        """Makes messages of what is listened to and of warnings and errors; with a log, of everything."""

        def fire_event(
            self, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
        ) -> None:
            if (
                self.loggers
                or force_warn_or_error_handling
                or type(e).__name__ in LISTENED_TO
                or (level or e.level_tag()) in (EventLevel.WARN, EventLevel.ERROR)
            ):
                super().fire_event(e, level, node, force_warn_or_error_handling)

    class MergedMacros(dbt.context.macros.MacroNamespace):
        """The same macros by the same names; where a name stands twice, the one that dbt's search meets first."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self._merged: dict[str, Any] = {}
            for namespace in reversed(list(self._search_order())):
                self._merged.update(namespace)

        def __iter__(self) -> Iterator[str]:
            return iter(self._merged)

        def __len__(self) -> int:
            return len(self._merged)

        def __getitem__(self, key: str) -> Any:
            return self._merged[key]

    ctx_set_event_manager(HeardEvents())
    dbt.context.macros.MacroNamespace = MergedMacros  # type: ignore[misc]
    PluginManager.get_prefixed_modules = staticmethod(lru_cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]
    parsedatetime.Constants = lru_cache(maxsize=None)(parsedatetime.Constants)
