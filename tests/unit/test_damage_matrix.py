"""Damage of each kind, in each store of a home: it is named, nothing wrong is published, and what can be comes back."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from reliability_platform.audit_log import AuditLog, Destroys, Phase
from reliability_platform.checks.holds import Holds
from reliability_platform.clock import utc_now
from reliability_platform.errors import PlatformError
from reliability_platform.incidents.anchor import note_end
from reliability_platform.incidents.detection import observe
from reliability_platform.landing.decisions import accept_late_rows
from reliability_platform.operations import operations_engine
from reliability_platform.recovery.damaged import mend
from reliability_platform.recovery.stores import EXAMINATIONS, examine_home
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import publish
from reliability_platform.warehouse.published_integrity import OPERATIONS
from reliability_platform.warehouse.snapshots.take import take_snapshot
from tests.ground import EVENTS, Platform, day
from tests.unit.failing import result

STRAY = b"PAR1 no, it is not"
IN_PLACE = ("operations.sqlite", "operations.sqlite-wal", "operations.sqlite-shm", "warehouse.duckdb", "timeline.json")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two landing days with a refused file, a decision, an incident, a held day, two versions and a snapshot."""
    made = Platform(tmp_path_factory.mktemp("origin") / "home", events_per_day=EVENTS)
    home = made.settings
    accept_late_rows(home, "orders", day(1), "a test", "they count")
    stray = home.landing / "orders" / f"landing_date={day(1)}" / "stray.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(STRAY)
    made.run(day(1), day(2))
    made.checks.record([result("stg_payments__row_count", 1)])
    observe(made.engine, made.checks.after(0, 10_000), utc_now())
    Holds(made.engine).hold("orders", day(2), "a test", "it is looked at", utc_now())
    made.checks.invalidate(["payments"], [])
    made.check(day(1), day(1))
    made.publish()
    note_end(home, made.engine)
    take_snapshot(home, utc_now)
    assert examine_home(home) == []
    return home


@pytest.fixture
def home(origin: Settings, tmp_path: Path) -> Settings:
    """A copy of it: databases are copied, all else is linked, for damage here always makes a new file."""

    def bring(source: str, target: str) -> None:
        if Path(source).name in IN_PLACE:
            shutil.copy2(source, target)
        else:
            os.link(source, target)

    shutil.copytree(origin.home, tmp_path / "home", symlinks=True, copy_function=bring)
    return load_settings(tmp_path / "home")


def only(home: Settings, pattern: str) -> Path:
    """The first file that fits."""
    return sorted(home.home.glob(pattern))[0]


FILES: dict[str, tuple[str, str]] = {
    "published table": ("published", "published/v000002/agg_daily_revenue/2026-01.parquet"),
    "published record": ("published", "published/v000002/publication.json"),
    "older version": ("published", "published/v000001/agg_daily_funnel/2026-01.parquet"),
    "bronze": ("landing", f"bronze/orders/landing_date={day(1)}/orders*.parquet"),
    "admission records": ("landing", f"bronze/admissions/payments/landing_date={day(1)}/admissions.parquet"),
    "seal": ("landing", f"bronze/admissions/shipments/landing_date={day(2)}/seal.json"),
    "landed file": ("landing", f"landing/orders/landing_date={day(2)}/orders*.parquet"),
    "manifest": ("landing", f"landing/web_events/landing_date={day(2)}/*.manifest.json"),
    "quarantined file": ("landing", f"quarantine/orders/landing_date={day(1)}/*.parquet"),
    "reason of a refusal": ("landing", f"quarantine/orders/landing_date={day(1)}/*.reason.json"),
    "decision": ("landing", "decisions/orders/*-late.json"),
    "reference data": ("landing", "reference/currency_rates.parquet"),
    "seal of the reference data": ("landing", "bronze/admissions/reference/seal.json"),
    "operations store": ("operations", "operations.sqlite"),
    "warehouse": ("warehouse", "warehouse.duckdb"),
    "snapshot manifest": ("snapshots", "snapshots/manifests/*.json"),
    "snapshot content": ("snapshots", "snapshots/objects/*/*"),
}
ANOTHER = {
    "operations.sqlite": "another's.sqlite",
    "warehouse.duckdb": "another's.duckdb",
}


def _write(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def flip(path: Path) -> None:
    """One byte of a page that is in use."""
    content = bytearray(path.read_bytes())
    place = 100 if path.suffix == ".sqlite" else len(content) // 2
    content[place] ^= 0xFF
    _write(path, bytes(content))


def replace(path: Path) -> None:
    """Another file of the same kind, whole in itself."""
    beside = [one for one in path.parent.rglob(f"*{path.suffix}") if one.read_bytes() != path.read_bytes()]
    if path.suffix == ".sqlite":
        path.unlink()
        other = load_settings(path.parent / ".other")
        from reliability_platform.operations.identity import identify

        identify(other, engine := operations_engine(other))
        engine.dispose()  # all of it in the file
        shutil.copyfile(other.home / "operations.sqlite", path)
    elif path.suffix == ".duckdb":
        before = path.read_bytes()
        path.unlink()
        path.write_bytes(before)
        with duckdb.connect(str(path)) as connection:  # whole, and with all its tables
            connection.execute("update built_by set home = 'another'")
    else:
        _write(path, beside[0].read_bytes() if beside else b'{"another": "file"}')


KINDS: dict[str, Callable[[Path], None]] = {
    "bit flip": flip,
    "truncation": lambda path: _write(path, path.read_bytes()[: path.stat().st_size // 2]),
    "zero length": lambda path: _write(path, b""),
    "deletion": lambda path: path.unlink(),
    "another's file": replace,
}


def prepared(home: Settings, path: Path) -> Path:
    """A database without its log beside it, which would mend what is damaged."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return path


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """What consumers read."""
    with duckdb.connect() as connection:
        return {
            mart.name: connection.execute(
                f"from '{settings.published / 'current' / mart.name}/*.parquet' order by all"
            ).fetchall()
            for mart in marts(ensure_manifest())
        }


@pytest.mark.parametrize("kind", KINDS)
def test_each_damage_is_named_in_each_store(origin: Settings, tmp_path: Path, kind: str, home: Settings) -> None:
    """Doctor said "all is well" of a store with a flipped bit, an empty one, one of another home."""
    unnamed = []
    for name, (store, pattern) in FILES.items():
        if kind == "deletion" and (name.startswith("seal") or name == "snapshot manifest"):
            continue  # as if it had never been: an earlier release had no seals, and a snapshot was pruned
        path = prepared(home, only(home, pattern))
        before = path.read_bytes()
        KINDS[kind](path)
        found = EXAMINATIONS[store](home)
        shown = path.relative_to(home.home).as_posix()
        if not any(one.path in (shown, "manifests", path.name) or store == "snapshots" for one in found):
            unnamed.append((name, [str(one) for one in found]))
        path.unlink(missing_ok=True)
        path.write_bytes(before)
    assert not unnamed
    assert examine_home(home) == []


@pytest.mark.exhaustive  # 7 s each; that each store comes back alone is held by test_recovery and test_published_integrity
@pytest.mark.parametrize("kind", ["bit flip", "deletion", "another's file"])
def test_what_is_damaged_everywhere_at_once_comes_back(home: Settings, kind: str) -> None:
    """Everything but the snapshots; what is published is right before and after, and nothing stays damaged."""
    good = rows(home)
    for name, (store, pattern) in FILES.items():
        if store != "snapshots" and not (name.startswith("seal") and kind == "deletion"):
            KINDS[kind](prepared(home, only(home, pattern)))
    with pytest.raises(PlatformError):  # the operations store is damaged, or is another's
        publish(home, marts(ensure_manifest()), [("orders", day(1))], {}, utc_now(), "test")
    done = mend(home, utc_now)
    assert done.left == []
    assert examine_home(home) == []
    assert rows(home) == good
    assert done.publication is not None
    assert list(done.publication.held) == [f"orders/{day(2)}"]  # what somebody held is held
    again = Holds(operations_engine(home)).standing()["orders", day(2)]
    assert (again.actor, again.why) == ("a test", "it is looked at")


def _swap(one: Path, other: Path) -> None:
    aside = one.with_name(f".{one.name}.aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _point(home: Settings, target: str) -> None:
    link = home.published / "current"
    link.unlink()
    link.symlink_to(target)


def _point_with(home: Settings, put: Callable[[Path], object]) -> None:
    link = home.published / "current"
    link.unlink()
    put(link)


def _first(home: Settings, pattern: str, number: int = 0) -> Path:
    return sorted(home.home.glob(pattern))[number]


def _days(home: Settings, pattern: str) -> None:
    """What fits in the first landing day in place of what fits in the second one."""
    _swap(_first(home, pattern.format(day=day(1))), _first(home, pattern.format(day=day(2))))


TABLE = "agg_daily_revenue/2026-01.parquet"
ATTACKS: dict[str, Callable[[Settings], object]] = {
    "two tables of a version": lambda home: _swap(
        home.published / "v000002" / TABLE, home.published / "v000002" / "agg_daily_funnel/2026-01.parquet"
    ),
    "a table of two versions": lambda home: _swap(
        home.published / "v000002" / "publication.json", home.published / "v000001" / "publication.json"
    ),
    "two versions": lambda home: _swap(home.published / "v000002", home.published / "v000001"),
    "a table added": lambda home: (home.published / "v000002" / "more.parquet").write_bytes(b"PAR1"),
    "current to an older version": lambda home: _point(home, "v000001"),
    "current to nothing": lambda home: _point(home, "v000099"),
    "current to somewhere else": lambda home: _point(home, "/"),
    "current is a file": lambda home: _point_with(home, lambda link: link.write_text("v000002")),
    "current is a copy": lambda home: _point_with(home, lambda link: shutil.copytree(home.published / "v000001", link)),
    "two manifests": lambda home: _swap(
        _first(home, f"landing/orders/landing_date={day(2)}/*.manifest.json"),
        _first(home, f"landing/orders/landing_date={day(2)}/*.manifest.json", 1),
    ),
    "two landed files": lambda home: _days(home, "landing/orders/landing_date={day}/orders*-04.parquet"),
    "bronze of two days": lambda home: _days(home, "bronze/orders/landing_date={day}/orders*-04.parquet"),
    "admissions of two days": lambda home: _days(
        home, "bronze/admissions/orders/landing_date={day}/admissions.parquet"
    ),
    "seals of two days": lambda home: _days(home, "bronze/admissions/orders/landing_date={day}/seal.json"),
    "a quarantined file is a folder": lambda home: _folder(
        _first(home, f"quarantine/orders/landing_date={day(1)}/*.parquet")
    ),
    "two reference tables": lambda home: _swap(
        home.reference / "customers.parquet", home.reference / "currency_rates.parquet"
    ),
    "two contents of snapshots": lambda home: _swap(*_largest(home)),
    "a snapshot of another home": lambda home: _foreign(_first(home, "snapshots/manifests/*.json")),
}


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _largest(home: Settings) -> list[Path]:
    return sorted(home.home.glob("snapshots/objects/*/*"), key=lambda path: path.stat().st_size)[-2:]


def _foreign(manifest: Path) -> None:
    text = manifest.read_text().replace('"sha256": "', '"sha256": "0')[:-1]
    manifest.with_name("20260101T000000000000Z.json").write_text(text)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_swapped_redirected_or_added_is_named_and_never_published(home: Settings, attack: str) -> None:
    """Each file is whole in itself and in the place of another one: sizes and formats say that all is well."""
    good = rows(home)
    ATTACKS[attack](home)
    assert examine_home(home) != []
    partitions = [
        (source, day(number)) for source in ("orders", "payments", "shipments", "web_events") for number in (1, 2)
    ]
    publish(home, marts(ensure_manifest()), partitions, {("orders", day(2)): ["held"]}, utc_now(), "test")
    assert rows(home) == good


DAMAGED_ROWS = {
    "update operations_version set version_num = 'garbage'": "is damaged: its version 'garbage' is not known",
    "delete from operations_version": "is damaged: its version is missing",
    "drop table audit_log": "lacks its table audit_log",
    "drop table holds; drop table check_results": "lacks its tables check_results, holds",
    "update audit_log set at = 'no moment'": "has an audit log of which not every entry can be read",
}


def _damage(home: Settings, statement: str) -> None:
    AuditLog(operations_engine(home)).append(Destroys.PURGE, Phase.BEGUN, "a batch", "a test", "for it", utc_now())
    with closing(sqlite3.connect(home.home / "operations.sqlite")) as store:
        store.executescript(statement)


@pytest.mark.parametrize("damage", DAMAGED_ROWS)
def test_a_store_whose_version_or_table_is_damaged_is_named(home: Settings, damage: str) -> None:
    """The file was whole: it could not be examined, and each command masked the error or refused."""
    _damage(home, damage)
    said = [one.what for one in examine_home(home) if one.store == OPERATIONS]
    assert said == [DAMAGED_ROWS[damage]]


@pytest.mark.exhaustive  # 6 s each
@pytest.mark.parametrize("damage", DAMAGED_ROWS)
def test_a_store_whose_version_or_table_is_damaged_comes_back(home: Settings, damage: str) -> None:
    """Nothing put it back."""
    _damage(home, damage)
    assert mend(home, utc_now).left == []
    assert examine_home(home) == []
