"""What dbt does for each node beside its SQL, done once or not at all: half of the CPU of a build of one landing day.

Seen in dbt-core 1.11, the only minor version that the platform takes; `tests/dbt/test_dbt_overhead.py` compares with
dbt's own ways. Of a build of 45 nodes:
- 1,100 events are made into messages, of which those of models that begin are listened to and none is logged;
- 230 contexts are made with all that a template may ask for (`dbt_contexts.py`);
- the text of each model, test and macro is translated from Jinja to Python, in each build anew: 0.9 s of a fresh process;
- what was compiled and what was run of each node is written to files, where dbt is told to write no report of its own;
- the folders of all installed packages are listed for plugins of dbt;
- each result of a query makes the vocabulary of a parser of dates in words, which dbt never asks: it gives the format.
"""

import marshal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.warehouse.dbt_manifest import written_by_us
from reliability_platform.warehouse.dbt_start import made_with

MOST_TRANSLATED = 2_000
"""Texts kept in their translated form: ten times those of the shop, 10 MB."""
_translated: dict[tuple[str, str], CodeType] = {}
"""By the class of an environment and a text: dbt gives all environments of one class the same filters."""
_taken: set[Path] = set()


@contextmanager
def kept_translations(manifest: Path) -> Iterator[None]:
    """Take the texts of a project that earlier processes have translated, and leave those that are translated meanwhile."""
    place = manifest.with_name(f"translated-{made_with()}.marshal")
    if place not in _taken:
        _taken.add(place)
        with suppress(OSError, EOFError, TypeError, ValueError):  # not there, somebody else's, or damaged
            _translated.update(marshal.loads(written_by_us(place)))  # noqa: S302
    before = len(_translated)
    yield
    if len(_translated) > before:
        with suppress(OSError):  # where there is no place to keep it, the next process translates again
            write_atomically(place, marshal.dumps(_translated))


@lru_cache(maxsize=1)
def spare_overhead() -> None:
    """From now on dbt goes these shorter ways in this process. Whoever gives it a log still finds everything there."""
    import parsedatetime  # type: ignore[import-untyped]
    from dbt.contracts.graph.nodes import ParsedNode
    from dbt.flags import get_flags
    from dbt.plugins.manager import PluginManager
    from dbt_common.clients.jinja import MacroFuzzEnvironment
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    from reliability_platform.warehouse.dbt_contexts import make_contexts_on_demand

    class HeardEvents(EventManager):
        """Makes messages of models that begin and of warnings and errors; with a log, of everything."""

        def fire_event(
            self, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
        ) -> None:
            if (
                self.loggers
                or force_warn_or_error_handling
                or (self.callbacks and _is_start_of_a_model(e))
                or (level or e.level_tag()) in (EventLevel.WARN, EventLevel.ERROR)
            ):
                super().fire_event(e, level, node, force_warn_or_error_handling)

    make_event, translate, write_node = BaseEvent.__init__, MacroFuzzEnvironment.compile, ParsedNode.write_node

    def event_made_when_asked(self: Any, *arguments: Any, **named: Any) -> None:
        self.__dict__["given"] = (arguments, named)

    def made_event(self: Any) -> Any:
        arguments, named = self.__dict__["given"]
        make_event(self, *arguments, **named)
        return self.__dict__["pb_msg"]

    def translated_once(self: Any, source: Any, *arguments: Any, **named: Any) -> Any:
        if arguments or named or not isinstance(source, str):
            return translate(self, source, *arguments, **named)
        key = (type(self).__qualname__, source)
        code = _translated.get(key)
        if code is None:
            if len(_translated) >= MOST_TRANSLATED:
                _translated.clear()
            code = _translated[key] = translate(self, source)
        return code

    def written_with_a_report(self: Any, *arguments: Any, **named: Any) -> None:
        if get_flags().WRITE_JSON:  # type: ignore[no-untyped-call]
            write_node(self, *arguments, **named)

    message = cached_property(made_event)
    message.__set_name__(BaseEvent, "pb_msg")
    ctx_set_event_manager(HeardEvents())
    BaseEvent.__init__ = event_made_when_asked  # type: ignore[method-assign]
    BaseEvent.pb_msg = message  # type: ignore[attr-defined]
    MacroFuzzEnvironment.compile = translated_once  # type: ignore[method-assign]
    ParsedNode.write_node = written_with_a_report  # type: ignore[method-assign]
    make_contexts_on_demand()
    PluginManager.get_prefixed_modules = staticmethod(lru_cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]
    parsedatetime.Constants = lru_cache(maxsize=None)(parsedatetime.Constants)


def _is_start_of_a_model(event: Any) -> bool:
    """By what the event was made with, which is less than a message."""
    if type(event).__name__ != "NodeStart":
        return False
    _, named = event.__dict__["given"]
    return bool(named["node_info"]["resource_type"] == "model")
