"""A home of 0.3.0 kept decisions in `shims/`, and its seals and snapshots say so; this release opens it as it is."""

import json
from pathlib import Path

import pytest

from reliability_platform import damage
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.admission import admit
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.decisions import accept_late_rows, approve_shim, late_rows_accepted
from reliability_platform.landing.sealed import examine_day
from reliability_platform.landing.seals import read_seal, seal_file
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.stores import examine_home
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.inventory import landing_day_of, walk
from reliability_platform.warehouse.snapshots.manifest import Snapshot, StoredFile, decode, encode, snapshot_id
from tests.unit.broken_home import BrokenHome


@pytest.fixture
def old(tmp_path: Path) -> BrokenHome:
    """A landing day with a file that is read through a shim, in the folders and with the seal of 0.3.0."""
    home = BrokenHome(tmp_path / "home")
    home.land(renamed={2: {"customer_id": "user_id"}})
    approve_shim(home.settings, "orders", "orders-20260105-02", Reading({"user_id": "customer_id"}), "test", "because")
    accept_late_rows(home.settings, "orders", home.day, "test", "because")
    assert home.admit()["orders-20260105-02"] == "replayed"
    sealed = read_seal(home.settings, "orders", home.day) or {}
    before = {name.replace("decisions/", "shims/"): one for name, one in sealed.items()}
    assert before.keys() != sealed.keys()
    damage.write_seal(seal_file(home.settings, "orders", home.day), before)
    home.settings.decisions.rename(home.settings.home / "shims")
    return home


def entries(settings: Settings) -> set[str]:
    """What lies in the home."""
    return {path.name for path in settings.home.iterdir()}


def test_decisions_of_an_older_home_count_as_before(old: BrokenHome) -> None:
    """Under a new name of the folder the file that somebody had approved would be refused again."""
    operations_engine(old.settings)
    assert {"decisions", "shims"} & entries(old.settings) == {"decisions"}
    assert examine_day(old.settings, "orders", old.day) == []
    assert late_rows_accepted(old.settings, "orders", old.day)
    records = {one.batch_id: one.state for one in admit(old.settings, "orders", old.day)}
    assert records["orders-20260105-02"] == "replayed"


def test_an_older_home_with_a_damaged_store_lacks_no_decision(old: BrokenHome) -> None:
    """Its store cannot be opened: whoever mends it must not take the decisions for lost, and put older ones beside them."""
    (old.settings.home / "operations.sqlite").write_bytes(b"")
    assert not [one for one in examine_home(old.settings) if one.path.startswith(("decisions/", "shims/"))]


def test_a_snapshot_of_an_older_home_is_restored_into_the_folder_of_today(old: BrokenHome) -> None:
    """Beside `decisions/` there would be a second folder of decisions, which nobody reads."""
    files, links, _ = walk(old.settings, None)
    assert "shims/orders/orders-20260105-late.json" in {one.path for one in files}
    stored = tuple(StoredFile(one.path, one.size, one.modified_ns, "0" * 64) for one in files)
    now = utc_now()
    taken = Snapshot(snapshot_id(now), now, "0.3.0", "", "", 0, (), (old.day,), {}, links, stored)
    read = decode(taken.id, encode(taken))
    paths = [one.path for one in read.files if one.path.endswith("-late.json")]
    assert paths == ["decisions/orders/orders-20260105-late.json"]
    assert landing_day_of(paths[0]) == old.day


def test_decisions_in_both_folders_are_for_a_person(old: BrokenHome) -> None:
    """An earlier release has run again in a home of today: which of two decisions counts, no rule can say."""
    there = old.settings.decisions / "orders"
    there.mkdir(parents=True)
    (there / "orders-20260105-late.json").write_text(json.dumps({"approved_by": "a", "why": "b"}))
    with pytest.raises(EnvironmentUnusableError, match="shims/, where an earlier release"):
        operations_engine(old.settings)
    assert {"decisions", "shims"} <= entries(old.settings)
