"""The shorter ways that the platform takes through dbt lead where dbt's own do."""

import subprocess
import sys

IN_A_PROCESS_OF_ITS_OWN = """
import dbt.context.macros as macros
import parsedatetime
from dbt.plugins.manager import PluginManager
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import get_event_manager
from dbt_common.events.types import Formatting, Note
from reliability_platform.warehouse.dbt_overhead import spare_overhead

given = dict(
    local_namespace={"a": 1, "b": 2}, global_namespace={"b": 3, "c": 4}, packages={"theirs": {"d": 5}, "c": {}},
    global_project_namespace={"a": 6, "e": 7},
)
own, plugins = macros.MacroNamespace(**given), PluginManager.get_prefixed_modules()
spare_overhead()
spared = macros.MacroNamespace(**given)
assert type(own) is not type(spared)
assert dict(own) == dict(spared) and len(own) == len(spared)
for package, name in ((None, "b"), ("dbt", "a"), ("theirs", "d"), (None, "none")):
    assert own.get_from_package(package, name) == spared.get_from_package(package, name)
assert PluginManager.get_prefixed_modules() == plugins
assert parsedatetime.Constants() is parsedatetime.Constants()

heard = []
events = get_event_manager()
events.add_callback(heard.append)
events.fire_event(Formatting("nobody listens"))
assert heard == []
events.fire_event(Note(msg="a warning"), level=EventLevel.WARN)
assert [one.info.msg for one in heard] == ["a warning"]


class Log:
    def filter(self, message):
        return True

    def write_line(self, message):
        print(message.info.msg)


events.loggers.append(Log())
events.fire_event(Formatting("with a log"))
"""


def test_macros_warnings_and_logs_are_those_of_dbt() -> None:
    """Of two macros of one name the same one is taken; a warning is heard; a log that somebody asks for is whole."""
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "with a log\n"), done.stderr
