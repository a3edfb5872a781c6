"""The plan that the how-to guide shows is one that the platform takes; what other guides run, the demo's plan allows."""

import re
from datetime import date, timedelta
from pathlib import Path

from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults.plan import ActivePlan, load_plan
from reliability_platform.settings import load_settings
from tests.conventions.documents import DOCS


def test_the_plan_of_the_guide_loads(tmp_path: Path) -> None:
    """A key is renamed in the code, and whoever copies the example has it refused."""
    [block] = re.findall(r"```yaml\n(name: .*?)```", (DOCS / "how-to" / "fault.md").read_text(), re.DOTALL)
    path = tmp_path / "bad_week.yml"
    path.write_text(block)
    assert load_plan(str(path)).name == "bad_week"


def test_the_day_of_the_guide_on_http_is_one_that_the_plan_of_the_demo_leaves_alone(tmp_path: Path) -> None:
    """The guide fetched 2026-01-05, which the demo breaks: whoever followed it after the demo was refused."""
    text = (DOCS / "how-to" / "http-source.md").read_text()
    [said] = re.findall(r"reliability run --from (\S+) --to \1", text)
    plan = ActivePlan.resolve(load_plan("showcase"), seed=7, first=FIRST_DAY, last=FIRST_DAY + timedelta(29))
    settings = load_settings(tmp_path).model_copy(update={"source_url": "http://127.0.0.1:8470"})
    plan.refuse_over_http(settings, SOURCES, [date.fromisoformat(said)])
