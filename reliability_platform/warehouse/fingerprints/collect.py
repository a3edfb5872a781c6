"""Collects the fingerprint of a build that begins now: from files, settings and what is installed, without a parse of dbt."""

import hashlib
import os
import platform as machine
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath
from typing import get_args

from pydantic import SecretStr

from reliability_platform.damage import read_seal
from reliability_platform.landing.reference import reference_seal
from reliability_platform.settings import CONTRACTS_FOLDER, PREFIX, PROJECT_ROOT, SODA_CHECKS, Settings
from reliability_platform.warehouse.fingerprints.files import SHOWN_DIGITS, FileContent, content_of, files_below
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, BuildInput, InputKind, Part
from reliability_platform.warehouse.own_project import PATHS, OwnProject, own_project

FOLDERS = {
    "models": InputKind.MODEL,
    "snapshots": InputKind.MODEL,
    "functions": InputKind.MACRO,
    "macros": InputKind.MACRO,
    "seeds": InputKind.SEED,
    "tests": InputKind.CHECK,
}
"""dbt's folders by their usual names. What lies in another one of these decides nothing: docs, analyses, assets."""
_DECIDES_NOTHING = frozenset({"analyses", *(str(key) for key, usual in PATHS.items() if usual is None)})
OF_THE_PROCESS = frozenset(
    {
        *("project", "home", "cache", "served", "attended", "tracebacks", "log_format", "ui_url", "api_url"),
        *("acting_from", "on_behalf_of", "requested_run", "alert_dry_run"),
    }
)
"""Settings that say where and for whom a process works, and nothing of what it builds."""
DISTRIBUTIONS = (
    *("reliability-platform", "dbt-core", "dbt-adapters", "dbt-duckdb", "duckdb", "pandas", "pyarrow"),
    *("soda-core", "soda-core-duckdb", "dagster"),
)
SECRET_DIGITS = 4
"""Two bytes of a digest tell that a value changed, but for once in 65,536; they are too few to find the value by trying."""


def fingerprint_of(settings: Settings) -> BuildFingerprint:
    """What a build that begins now is made with. 5 ms where no file has changed since this process looked last."""
    found = [*_dbt(settings), *_contracts(), *_below(Part.SODA_CHECKS), *_reference(settings)]
    return BuildFingerprint(tuple(sorted([*found, *_settings(settings), *_installed()])))


def remember_imported() -> None:
    """Take the digests of what this process has imported: contracts, and the platform's code. 50 ms, once; later calls, and
    processes that are forked from this one, have them.
    """
    _contracts()
    _installed()


def _digest(text: str, digits: int = SHOWN_DIGITS) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:digits]


def _kind(name: str) -> InputKind | None:
    folder = PurePosixPath(name).parts[0]
    if "/" not in name:
        return InputKind.PROJECT_FILE
    return None if folder in _DECIDES_NOTHING else FOLDERS.get(folder)


def _dbt(settings: Settings) -> Iterator[BuildInput]:
    """The platform's models and what belongs to them; with an own project, that too."""
    for name, path in files_below(settings.dbt_project):
        kind = _kind(name)
        if kind is not None and not name.endswith(".md"):
            yield BuildInput(Part.DBT_PROJECT, name, kind, content_of(path).digest)
    own = own_project()
    if own is not None:
        yield from _own(own)


def _own(own: OwnProject) -> Iterator[BuildInput]:
    """Its own files one by one, each package that it installs as one, and what its Jinja asks of the environment."""
    packages: dict[str, list[tuple[str, FileContent]]] = defaultdict(list)
    folders = own.kinds_of_folders()
    asked: set[str] = set()
    for name, path in own.files():
        content = content_of(path)
        asked |= content.asks
        if name.startswith(f"{own.installed}/"):
            packages[name.removeprefix(f"{own.installed}/").partition("/")[0]].append((name, content))
            continue
        usual = next((folders[one] for one in folders if name.startswith(f"{one}/")), None)
        kind = InputKind.PROJECT_FILE if "/" not in name else FOLDERS.get(usual or "")
        if kind is not None:
            yield BuildInput(Part.OWN_PROJECT, name, kind, content.digest)
    for package, files in packages.items():
        digest = _digest("\0".join(f"{name}\0{one.digest}" for name, one in sorted(files, key=lambda one: one[0])))
        yield BuildInput(Part.OWN_PROJECT, f"{own.installed}/{package}", InputKind.DBT_PACKAGE, digest)
    for name in sorted(one for one in asked if not one.startswith(PREFIX)):
        # What they hold may be a password.
        digest = _digest(repr(os.environ.get(name)), SECRET_DIGITS)
        yield BuildInput(Part.ENVIRONMENT, name, InputKind.SETTING, digest)


@cache
def _contracts() -> tuple[BuildInput, ...]:
    """As this process read them when it began: what is written there later it does not know."""
    files = ((name, path) for name, path in files_below(CONTRACTS_FOLDER) if name.endswith((".yml", ".yaml")))
    return tuple(BuildInput(Part.CONTRACTS, name, InputKind.CONTRACT, content_of(path).digest) for name, path in files)


def _below(part: Part) -> Iterator[BuildInput]:
    for name, path in files_below(SODA_CHECKS) if SODA_CHECKS.is_dir() else ():
        yield BuildInput(part, name, InputKind.CHECK, content_of(path).digest)


def _reference(settings: Settings) -> Iterator[BuildInput]:
    """The reference tables as they were loaded last, by the checksums that were written then."""
    with suppress(ValueError):  # a damaged seal is told of by the build itself
        for path, one in (read_seal(reference_seal(settings)) or {}).items():
            name = PurePosixPath(path).stem
            yield BuildInput(Part.REFERENCE, name, InputKind.REFERENCE, one.sha256[:SHOWN_DIGITS])


def _is_plain(name: str) -> bool:
    """Whether a setting is a number, a day or a switch: no secret is one."""
    kind = Settings.model_fields[name].annotation
    return all(one in (bool, int, float, date, type(None)) for one in get_args(kind) or (kind,))


def _said(value: object) -> object:
    """A value with the secrets in it, to be digested."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return [_said(one) for one in value] if isinstance(value, list | tuple) else value


def _settings(settings: Settings) -> Iterator[BuildInput]:
    """Every setting that may decide what a build makes or how it is judged."""
    for name in Settings.model_fields.keys() - OF_THE_PROCESS:
        value = getattr(settings, name)
        if _is_plain(name):
            yield BuildInput(Part.SETTINGS, name, InputKind.SETTING, _digest(str(value)), str(value))
        else:
            said = _digest(repr(_said(value)), SECRET_DIGITS)
            yield BuildInput(Part.SETTINGS, name, InputKind.SETTING, said)


@cache
def _installed() -> tuple[BuildInput, ...]:
    """The versions of what builds, and the platform's own code, which may be changed without a new version."""
    found = {"python": machine.python_version()}
    for name in DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    versions = [
        BuildInput(Part.INSTALLATION, name, InputKind.VERSION, _digest(one), one) for name, one in found.items()
    ]
    code = BuildInput(Part.INSTALLATION, "reliability_platform", InputKind.PLATFORM_CODE, _code())
    return (*versions, code)


def _code() -> str:
    """Of the platform's modules: the process runs what they were when it began."""
    folder = PROJECT_ROOT / "reliability_platform"
    files: Iterable[tuple[str, str]] = (one for one in files_below(folder) if not one[0].endswith((".pyc", ".md")))
    return _digest("\0".join(f"{name}\0{content_of(path).digest}" for name, path in sorted(files)))
