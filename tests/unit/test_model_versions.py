"""Which models are older than those that built a home: by their release, and by the order in which the home saw them."""

import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import DBT_PROJECT, Settings, load_settings
from reliability_platform.warehouse.dbt_runner import _journaled
from reliability_platform.warehouse.journal import BLOCKED, BuildJournal
from reliability_platform.warehouse.versions import ModelsBuilt, models_of
from tests.ground import day

MODEL = "models/marts/agg_daily_revenue.sql"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with nothing in it, and a dbt project of its own."""
    shutil.copytree(DBT_PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("target", "logs"))
    return load_settings(tmp_path / "home").model_copy(update={"dbt_project": tmp_path / "project"})


def build(settings: Settings) -> None:
    """All that a build does beside dbt itself."""
    with _journaled(settings, day(1), day(1)):
        pass


def edit(settings: Settings, path: str, change: Callable[[str], str]) -> Callable[[], None]:
    """Change a file of the project; returns what takes the change back."""
    file = settings.dbt_project / path
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before
    return lambda: str(file.write_text(before)) and None


def replaced(old: str, new: str) -> Callable[[str], str]:
    """A change of one text."""
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (MODEL, replaced("sum(orders.amount)", "sum(orders.amount) * 2")),
        (MODEL, lambda text: text + "\n-- {{ config(full_refresh=true) }}\n"),
        ("macros/staging.sql", replaced("select", "select distinct")),
        ("models/marts/agg_daily_revenue.yml", replaced("decimal(38,2)", "decimal(38,3)")),
        ("dbt_project.yml", replaced("delete+insert", "append")),
    ],
)
def test_models_that_were_replaced_are_refused_until_somebody_goes_back_on_purpose(
    settings: Settings, path: str, change: Callable[[str], str]
) -> None:
    """Nobody raised a version, so a checkout that was not updated used to build over what newer models had built."""
    build(settings)
    undo = edit(settings, path, change)
    build(settings)  # a change is a newer version by itself
    build(settings)
    undo()
    with pytest.raises(UsageError, match=r"have built this home before, and were replaced by .* on purpose"):
        build(settings)
    engine = operations_engine(settings)
    assert [one.outcome for one in BuildJournal(engine, settings.builds).troubled()] == [BLOCKED]
    build(settings.model_copy(update={"allow_older_models": True}))
    build(settings)  # once is enough
    edit(settings, path, change)
    build(settings)  # what was replaced by going back comes again as a newer one


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (MODEL, lambda text: "-- who reads this doesn't matter\n" + text.replace("\n", "  \n") + "{# -- #} /* ' */\n"),
        ("models/marts/agg_daily_revenue.yml", lambda text: "# a note\n" + text),
        ("tests/assert_nothing.sql", None),
        ("profiles.yml", lambda text: text + "# a note\n"),
    ],
)
def test_what_changes_no_row_is_no_other_version(
    settings: Settings, path: str, change: Callable[[str], str] | None
) -> None:
    """Or a comment would lock out the checkout beside it, and make every snapshot one of other models."""
    before = models_of(settings.dbt_project)
    if change is None:
        (settings.dbt_project / path).write_text("select 1 where false\n")
    else:
        edit(settings, path, change)
    assert models_of(settings.dbt_project) == before


def test_a_quoted_sign_of_a_comment_hides_nothing(settings: Settings) -> None:
    """What stands behind `'--'` in a line is read as well."""
    file = settings.dbt_project / MODEL
    file.write_text("select '--' as sign, 1 as n, '/*' as other")
    before = models_of(settings.dbt_project)
    file.write_text("select '--' as sign, 2 as n, '/*' as other")
    assert models_of(settings.dbt_project) != before


def test_models_of_an_older_release_are_refused_though_this_home_has_never_seen_them(settings: Settings) -> None:
    """0.9.9 is older than 0.10.0; going back on purpose makes the older one the newest."""

    def release(number: str) -> None:
        declared = settings.dbt_project / "dbt_project.yml"
        declared.write_text(re.sub(r"(?m)^version: .*$", f'version: "{number}"', declared.read_text()))

    release("0.10.0")
    build(settings)
    release("0.9.9")
    with pytest.raises(UsageError, match=r"models 0\.9\.9\+\w+ are of an older release than 0\.10\.0\+"):
        build(settings)
    build(settings.model_copy(update={"allow_older_models": True}))
    newest = ModelsBuilt(operations_engine(settings)).newest()
    assert newest is not None
    assert newest.release == (0, 9, 9)
    build(settings)
    release("0.10.0")
    build(settings)


def test_two_that_end_at_once_are_one_version(settings: Settings) -> None:
    """The second finds what the first has written; nothing fails."""
    built = ModelsBuilt(operations_engine(settings))
    models = models_of(settings.dbt_project)
    for _ in range(2):
        built.built(models, utc_now())
    assert built.newest() == models
    assert built.older(models) is None


def test_the_models_are_of_the_release_that_they_come_with() -> None:
    """Or a stale checkout of the release before would pass for the newest one in a home that has never seen it."""
    assert ".".join(map(str, models_of(DBT_PROJECT).release)) == version("reliability-platform")


def test_a_project_without_a_version_is_refused(tmp_path: Path) -> None:
    """Nobody could say whether it is older."""
    (tmp_path / "dbt_project.yml").write_text("name: x\n")
    with pytest.raises(EnvironmentUnusableError, match="no dbt project with a version"):
        models_of(tmp_path)
