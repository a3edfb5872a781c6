"""`reliability plan`: choose what breaks over a window of landing days."""

from datetime import date

import click

from reliability_platform.cli.options import (
    DAY,
    check_range,
    hint,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
)
from reliability_platform.cli.parameters import SEED
from reliability_platform.clock import FIRST_DAY
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode
from reliability_platform.settings import Settings


@click.command()
@click.argument("plan")
@click.option("--from", "first", type=DAY, default=FIRST_DAY.isoformat(), show_default=True, help="The plan's day 1.")
@click.option("--to", "last", type=DAY, required=True, help="The last landing day that it may touch.")
@click.option("--seed", type=SEED, default=7, show_default=True, help="The same seed chooses the same rows.")
@home_option
@json_option
def plan(plan: str, first: date, last: date, seed: int, settings: Settings, as_json: bool) -> int:
    """Let the home follow PLAN: the name of one that comes with the platform, or a YAML file of your own.

    What has landed and is other under the plan lands again. Then `reliability run` lets the platform notice. Injections
    into the running platform are for `reliability demo` and `reliability inject`.
    """
    check_range(first, last)
    from reliability_platform.lab.faults.landed_again import follow
    from reliability_platform.lab.faults.plan import ActivePlan, load_plan

    with home_session(settings):
        active = ActivePlan.resolve(load_plan(plan), seed=seed, first=first, last=last)
        days = follow(settings, active)
    if as_json:
        print_json({"injections": [vars(injection) for injection in active.injections], "landed_again": days})
        return ExitCode.OK
    people.print(f"{counted(len(active.injections), 'injection')} from {first} to {last}.")
    people.print(f"Let the platform notice: {hint(f'run --from {first} --to {last}')}", markup=False)
    return ExitCode.OK
