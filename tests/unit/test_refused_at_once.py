"""A slip on the command line is refused before anything is loaded that takes seconds, and before anything is done."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import duckdb

from reliability_platform.cli.main import cli
from reliability_platform.cli.options import Day
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

HEAVY = ("dagster", "dbt", "pandas", "soda")
"""Each takes from half a second to five to import, and twice that on a machine that is at work."""

SLIPS = """\
run --from 2026-01-05 --to 2026-01-01
run --from 2026-01-05 --to 2026-01-05 --approve
run --from 2026-01-05 --to 2026-01-05 --why because
run --from 2026-01-05 --to 2026-01-05 --dry-run
backfill --from 2026-01-05 --to 2026-01-01
backfill --from 2026-01-05 --to 2026-01-05
backfill --from 2026-01-05 --to 2026-01-05 --dry-run
demo --plan nonsense
inject nonsense --source orders --date 2026-01-05
inject null_spike --source nonsense --date 2026-01-05
inject null_spike --source orders --date 2026-01-05 --magnitude nonsense
inject crash_mid_write --source payments --date 2026-01-05
plan nonsense --from 2026-01-01 --to 2026-01-05
plan showcase --from 2026-01-05 --to 2026-01-01
heal --incident nonsense
heal --incident nonsense --dry-run
heal --incident nonsense --undo
heal --incident nonsense --action hold
heal --incident INC-0001 --action nonsense
heal --action hold
heal --undo
checks --source nonsense
incidents show nonsense
incidents runbook nonsense
incidents postmortem nonsense
incidents impact nonsense
incidents ack nonsense
quarantine list --source nonsense
quarantine analyze --source nonsense
quarantine replay
quarantine replay --source nonsense
quarantine show nonsense
quarantine replay --batch nonsense
quarantine analyze --batch nonsense
quarantine discard --batch nonsense --yes --why because
quarantine discard
quarantine discard --source nonsense --date 2026-01-05
quarantine purge --source nonsense --date 2026-01-05
publish --dry-run
publish --why because
publish --rollback
withdraw nonsense
snapshot verify nonsense
restore --as-of nonsense
restore --table nonsense
restore --everything --table nonsense
drill table-loss --table nonsense
faults show nonsense
sources serve --misbehave nonsense
""".splitlines()


def commands(
    words: list[str], command: click.Command, parent: click.Context | None = None
) -> Iterator[tuple[list[str], click.Command]]:
    """Every command, with the words that call it."""
    context = click.Context(command, parent=parent, info_name=(words or ["reliability"])[-1])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands([*words, name], below, context)
    else:
        yield words, command


def wrong_values() -> Iterator[list[str]]:
    """For each command an option that does not exist, and for each of its options that takes no free text, a wrong value."""
    for words, command in commands([], cli):
        yield [*words, "--nonsense"]
        for option in command.params:
            if isinstance(option.type, Day | click.Choice | click.IntRange | click.FloatRange) and isinstance(
                option, click.Option
            ):
                yield [*words, option.opts[0], "nonsense"]


ASK = """
import json, sys
from reliability_platform.cli.main import main
for words in json.load(sys.stdin):
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    print(json.dumps([" ".join(words), code, sorted(set(sys.modules) & set(sys.argv[1:]))]), flush=True)
"""


def test_a_slip_is_refused_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """`heal --incident INC-7` took up to 15 s to say that there is no such incident: Dagster and dbt were loaded first."""
    operations_engine(settings := load_settings(tmp_path))  # a home: where there is none, that is said
    with duckdb.connect(str(settings.warehouse)) as connection:  # and a quarantine: where there is none, that is said
        connection.execute("create table qtn_rows (batch_id varchar)")
    ensure_manifest()  # parsed once an installation, by whichever command comes first
    asked = [*wrong_values(), *(line.split() for line in SLIPS)]
    done = subprocess.run(
        [sys.executable, "-c", ASK, *HEAVY],
        input=json.dumps(asked),
        env={
            "PATH": "/usr/bin:/bin",
            "RELIABILITY_HOME": str(tmp_path),
            "HOME": str(tmp_path),
            "RELIABILITY_CACHE": str(settings.cache),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one[0] for one in answers] == [" ".join(words) for words in asked]
    loaded: list[str] = []
    wrong = []
    for words, code, heavy in answers:
        if code != ExitCode.USAGE or heavy != loaded:
            wrong.append((words, code, [one for one in heavy if one not in loaded]))
        loaded = heavy
    assert wrong == []


def test_commands_of_sources_are_there_without_the_manifest_of_dbt() -> None:
    """`sources add` took 10 s of CPU more in a project that had run: dbt parsed it for the names of tables to pause."""
    heavy = [f"reliability_platform.{one}" for one in ("checks.catalogue", "warehouse.dbt_manifest")]
    code = "import sys, reliability_platform.cli.sources; print(*sorted(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
