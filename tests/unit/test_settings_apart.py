"""Homes that are made to be thrown away reach nothing that theirs shares with the outside."""

from pathlib import Path

import pytest

from reliability_platform.cli.demo_home import may_be_emptied
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.lab.campaign.trial import settings_of
from reliability_platform.lab.oracle import verify
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import identify
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.publication import publications
from tests.ground import EVENTS, Platform, day


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An operations store that is given by a URL, as one in a database server is."""
    url = f"sqlite:///{tmp_path}/operations.db"
    monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", url)
    return url


@pytest.mark.exhaustive  # 7 s
def test_a_proof_leaves_the_operations_store_alone_wherever_that_is(tmp_path: Path, elsewhere: str) -> None:
    """The builds of the oracle stood in the journal of the home: the next publication took its warehouse for an old one,
    and was refused for good.
    """
    made = Platform(tmp_path / "home", events_per_day=EVENTS)
    assert made.settings.operations_url == elsewhere
    made.run(day(1), day(1))
    journal = BuildJournal(made.engine, made.settings.builds)
    last, versions = journal.last_success(), publications(made.settings)
    assert all(table.equal for table in verify(made.settings, landed_partitions(made.settings)))
    assert (journal.last_success(), publications(made.settings)) == (last, versions)
    made.publish()


def test_a_trial_shares_nothing_with_the_outside(
    tmp_path: Path, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign wrote its homes' incidents into the operations store of the one in which it was begun."""
    outside = {
        "SNAPSHOT_URL": f"file://{tmp_path}/s",
        "OPENLINEAGE_URL": "http://lineage",
        "ALERT_URLS": "json://host",
        "DEAD_MAN_URL": "http://dead.man/x",
    }
    for name, value in {**outside, "ALERT_DRY_RUN": "false", "CHANGE_FREEZE": "true"}.items():
        monkeypatch.setenv(f"RELIABILITY_{name}", value)
    assert load_settings(tmp_path).operations_url == elsewhere
    trial = settings_of(tmp_path / "trial")
    assert (trial.operations_url, trial.snapshot_url, trial.openlineage_url) == (None, None, None)
    assert trial.dead_man_url is None
    assert (trial.alert_urls, trial.alert_dry_run, trial.attended) == ((), True, True)
    assert not trial.change_freeze


def homes(tmp_path: Path) -> tuple[Settings, Settings]:
    return load_settings(tmp_path / "one"), load_settings(tmp_path / "other")


@pytest.mark.usefixtures("elsewhere")
def test_of_two_homes_only_the_first_may_have_a_store(tmp_path: Path) -> None:
    """Each took the other's builds, results and incidents for its own."""
    one, other = homes(tmp_path)
    assert identify(one, operations_engine(one)) == identify(one, operations_engine(one))
    with pytest.raises(EnvironmentUnusableError, match=f"is of another home: give {other.home} a file of its own"):
        identify(other, operations_engine(other))
    assert not other.identity.exists()


@pytest.mark.usefixtures("elsewhere")
def test_a_demo_begins_with_an_empty_operations_store(tmp_path: Path) -> None:
    """It empties its home, and cannot empty a database: the incidents of the last one were among those of the next."""
    one, _ = homes(tmp_path)
    assert may_be_emptied(one, yes=True) == ""
    BuildJournal(operations_engine(one), one.builds).begin(day(1), day(1), utc_now())
    with pytest.raises(UsageError, match="give it a home of its own"):
        may_be_emptied(one, yes=True)
