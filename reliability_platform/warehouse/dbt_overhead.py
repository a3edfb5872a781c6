"""What dbt does for each node beside its SQL, done once or not at all: half of the CPU of a build of one landing day.

Seen in dbt-core 1.11, the only minor version that the platform takes; `tests/dbt/test_dbt_overhead.py` compares with
dbt's own ways. Of a build of 45 nodes:
- 1,100 events are made into messages, of which two kinds are listened to and none is logged;
- 230 contexts are made with all that a template may ask for (`dbt_contexts.py`);
- the text of each model and test is translated from Jinja to Python, in each build anew;
- the folders of all installed packages are listed for plugins of dbt;
- each result of a query makes the vocabulary of a parser of dates in words, which dbt never asks: it gives the format.
"""

from functools import cached_property, lru_cache
from typing import Any

LISTENED_TO = ("NodeStart", "NodeFinished")
MOST_TRANSLATED = 2_000
"""Texts kept in their translated form: ten times those of the shop, 10 MB."""


@lru_cache(maxsize=1)
def spare_overhead() -> None:
    """From now on dbt goes these shorter ways in this process. Whoever gives it a log still finds everything there."""
    import parsedatetime  # type: ignore[import-untyped]
    from dbt.plugins.manager import PluginManager
    from dbt_common.clients.jinja import MacroFuzzEnvironment
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager

    from reliability_platform.warehouse.dbt_contexts import make_contexts_on_demand

    class HeardEvents(EventManager):
        """Makes messages of what is listened to and of warnings and errors; with a log, of everything."""

        def fire_event(
            self, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
        ) -> None:
            if (
                self.loggers
                or force_warn_or_error_handling
                or (self.callbacks and type(e).__name__ in LISTENED_TO)
                or (level or e.level_tag()) in (EventLevel.WARN, EventLevel.ERROR)
            ):
                super().fire_event(e, level, node, force_warn_or_error_handling)

    make_event, translate = BaseEvent.__init__, MacroFuzzEnvironment.compile
    translated: dict[tuple[type, str], Any] = {}

    def event_made_when_asked(self: Any, *arguments: Any, **named: Any) -> None:
        self.__dict__["given"] = (arguments, named)

    def made_event(self: Any) -> Any:
        arguments, named = self.__dict__["given"]
        make_event(self, *arguments, **named)
        return self.__dict__["pb_msg"]

    def translated_once(self: Any, source: Any, *arguments: Any, **named: Any) -> Any:
        """What a text means depends on the class of its environment alone: dbt gives all of one class the same filters."""
        if arguments or named or not isinstance(source, str):
            return translate(self, source, *arguments, **named)
        code = translated.get((type(self), source))
        if code is None:
            if len(translated) >= MOST_TRANSLATED:
                translated.clear()
            code = translated[type(self), source] = translate(self, source)
        return code

    message = cached_property(made_event)
    message.__set_name__(BaseEvent, "pb_msg")
    ctx_set_event_manager(HeardEvents())
    BaseEvent.__init__ = event_made_when_asked  # type: ignore[method-assign]
    BaseEvent.pb_msg = message  # type: ignore[attr-defined]
    MacroFuzzEnvironment.compile = translated_once  # type: ignore[method-assign]
    make_contexts_on_demand()
    PluginManager.get_prefixed_modules = staticmethod(lru_cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]
    parsedatetime.Constants = lru_cache(maxsize=None)(parsedatetime.Constants)
