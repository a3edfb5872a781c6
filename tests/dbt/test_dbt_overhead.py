"""The shorter ways that the platform takes through dbt lead where dbt's own do."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = {
    "dbt_project.yml": """
name: shop
version: "1.0"
profile: shop
models: {+materialized: incremental, +unique_key: one}
""",
    "dbt_packages/theirs/dbt_project.yml": 'name: theirs\nversion: "1.0"\n',
    "dbt_packages/theirs/macros/theirs.sql": """
{% macro star() %}theirs{% endmacro %}
{% macro both() %}of theirs{% endmacro %}
{% macro default__kind() %}{{ return("theirs") }}{% endmacro %}
{% macro kind() %}{{ return(adapter.dispatch("kind", "theirs")()) }}{% endmacro %}
""",
    "dbt_packages/theirs/models/in_theirs.sql": "select '{{ both() }}, {{ theirs.both() }}, {{ shop.both() }}' as one",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "macros/ours.sql": """
{% macro ref(name) %}{{ return(builtins.ref(name)) }}{% endmacro %}
{% macro both() %}of shop{% endmacro %}
{% macro duckdb__type_string() %}our text{% endmacro %}
""",
    "models/first.sql": "select 1 as one{% if is_incremental() %} where true{% endif %}",
    "models/second.sql": """
select '{{ both() }}, {{ theirs.star() }}, {{ theirs.kind() }}, {{ dbt.type_string() }}' as one,
    '{{ context.get("nothing", "none") }} {{ "both" in context }} {{ "nothing" in context }} {{ this }} {{ var("v", 3) }}' as two,
    '{{ context.keys() | sort | join(" ") }}' as three, {{ context | length }} as four, '{{ model.name }} {{ target.name }}' as five
from {{ ref('first') }}
-- {{ context is mapping }} {{ builtins.keys() | sort | join(" ") }} {{ modules.datetime.date(2026, 1, 2) }} {{ nothing }}
{% if execute %}{% set found = run_query("select 7 as seven") %}-- {{ found.columns[0].values() | join }}{% endif %}
""",
    "models/tests.yml": "models: [{name: first, columns: [{name: one, data_tests: [unique, {accepted_values: {arguments: {values: [1]}}}]}]}]\n",
}

IN_A_PROCESS_OF_ITS_OWN = """
import os
import re
from pathlib import Path

os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

import parsedatetime
from dbt.cli.main import dbtRunner
from dbt.clients.jinja import get_rendered
from dbt.plugins.manager import PluginManager
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import cleanup_event_logger, get_event_manager
from dbt_common.events.types import Formatting, Note
from reliability_platform.warehouse.dbt_overhead import spare_overhead


def built():
    for words in (["build", "--full-refresh"], ["build"]):
        done = dbtRunner().invoke([*words, "--threads=1", "--quiet", "--no-use-colors"])
        assert done.success, (done.exception, [(one.node.name, one.message) for one in done.result or () if one.message])
    return {
        str(path): re.sub("tmp[0-9]+", "tmp", path.read_text()) for folder in ("run", "compiled") for path in Path("target", folder).rglob("*.sql")
    }


def rendered(text, native=False):
    return get_rendered(text, {"a": [1, 2]}, native=native)


def texts():
    return [rendered("{% for one in a %}{{ one + 1 }}{% endfor %}"), rendered("{{ a }}", True), rendered("{{ a }}"), rendered("{{ '1' | as_native }}", True)]


own, own_texts, plugins = built(), texts(), PluginManager.get_prefixed_modules()
spare_overhead()
assert len(own) >= 8 and own == built()
assert texts() == own_texts and texts() == own_texts and own_texts[0] == "23"
broken = 0
for _ in range(2):
    try:
        rendered("{% if %}")
    except Exception as error:
        broken += "Expected an expression" in str(error)
assert broken == 2
assert PluginManager.get_prefixed_modules() == plugins
assert parsedatetime.Constants() is parsedatetime.Constants()

cleanup_event_logger()
heard = []
events = get_event_manager()
events.add_callback(heard.append)
events.fire_event(Formatting("nobody listens"))
assert heard == []
events.fire_event(Note(msg="a warning"), level=EventLevel.WARN)
assert [one.info.msg for one in heard] == ["a warning"]
note = Note(msg=7)
note.msg += "8"
assert note.to_dict() == {"msg": "78"} and note.message() == "78"


class Log:
    def filter(self, message):
        return True

    def write_line(self, message):
        print(message.info.msg)


events.loggers.append(Log())
events.fire_event(Formatting("with a log"))
"""


@pytest.mark.exhaustive  # 10 s; it can only fail where these modules or the pinned dbt change
def test_macros_warnings_and_logs_are_those_of_dbt(tmp_path: Path) -> None:
    """A project of two packages is built to the same files: of two macros of one name the same one is taken, whoever asks
    for all names gets all. A text, right or wrong, is rendered as it was; a warning is heard; a log is whole.
    """
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "with a log\n"), done.stderr
