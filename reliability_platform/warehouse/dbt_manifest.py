"""What dbt has parsed of a project, in a place of the platform's own.

`dbt_project/target` belongs to whoever calls dbt by hand: dbt rewrites its files there in place, so that a reader meets
half of one. Here each state of a project, known by a digest of its files, is copied and parsed once, in a folder that
gets its name when it is whole; what is in it then stays as it is. Nothing of a home is in it; all homes of a user share it.
"""

import errno
import filecmp
import hashlib
import os
import pickle
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.locks import locked
from reliability_platform.settings import DBT_PROJECT, OWN_DBT_PROJECT, load_settings
from reliability_platform.warehouse.dbt_start import made_with
from reliability_platform.warehouse.own_project import PACKAGE, from_their_folder, is_built_whole, own_project

KEPT = 16
"""So many parsed states stay, 2 MB each; a daemon reads its own again at most after so many others were deployed."""
NOT_WRITTEN_BY_PEOPLE = ("target", "logs", "dbt_packages")
HOME = "RELIABILITY_HOME"
DUCKDB, SPARK = "duckdb", "spark"
PARSED = "partial_parse.msgpack"
NOT_KEPT_WHOLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What Python raises at a pickle that is damaged."""
_ASKED = re.compile(rb"""env_var\(\s*['"](\w+)""")


def quiet_arguments(*words: str, project: Path, target: Path) -> list[str]:
    """The arguments of a dbt command that says nothing and phones nobody; `words` are the command and its options, `target` is
    the folder for what dbt writes."""
    return [
        *words,
        f"--project-dir={project}",
        f"--profiles-dir={project}",
        f"--target-path={target}",
        f"--log-path={target / 'logs'}",
        "--log-level-file=none",
        "--quiet",
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        *([f"--profile={PACKAGE}"] if OWN_DBT_PROJECT is not None else []),
    ]


def _files(project: Path) -> Iterator[tuple[str, Path]]:
    """What people have written of a project, in the order of the paths; with an own project, theirs and ours in one."""
    own = own_project()
    if own is not None:
        yield from sorted(own.with_platform(project).items())
        return
    for name in sorted(_below(str(project), ""), key=lambda name: name.split("/")):
        yield name, project / name


def _below(folder: str, place: str) -> Iterator[str]:
    """The files below a folder of the project by their place in it: whoever asks for the manifest walks them first, and
    `rglob` takes 1.5 ms longer."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{place}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if name not in NOT_WRITTEN_BY_PEOPLE:
                    yield from _below(entry.path, f"{name}/")
            elif not entry.name.startswith(".") and name not in NOT_WRITTEN_BY_PEOPLE and entry.is_file():
                yield name


@dataclass(frozen=True)
class _State:
    """Files as the file system describes them, and the digest of what was in them."""

    described: list[tuple[str, int, int, int, int]]
    digest: str


_KNOWN: dict[tuple[Path, str], _State] = {}
SETTLED_NANOSECONDS = 2 * 10**9
"""A file that was written to a moment ago may be written to again within one tick of the file system's clock."""


def _digest(project: Path, engine: str = DUCKDB) -> str:
    """Of every file of the project and of the dbt that parses it; read again only where a file is not as it was."""
    files = list(_files(project))
    stats = [path.stat() for _, path in files]
    described = [
        (name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
        for (name, _), one in zip(files, stats, strict=True)
    ]
    known = _KNOWN.get((project, engine))
    if known is not None and known.described == described:
        return known.digest
    digest = _digest_of(files, engine)
    if all(max(one.st_mtime_ns, one.st_ctime_ns) < time.time_ns() - SETTLED_NANOSECONDS for one in stats):
        _KNOWN[project, engine] = _State(described, digest)
    return digest


def _digest_of(files: Sequence[tuple[str, Path]], engine: str = DUCKDB) -> str:
    made_by = f"{version('dbt-core')} {version(f'dbt-{engine}')}"
    digest, asked = hashlib.sha256(made_by.encode()), set[bytes]()
    for name, path in files:
        content = path.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode())
        digest.update(content)
        asked.update(_ASKED.findall(content) if OWN_DBT_PROJECT is not None else ())
    for variable in sorted(name.decode() for name in asked):
        # What theirs asks of the environment may decide about schemas and models when it is parsed.
        if not variable.startswith(("RELIABILITY_", "PWD")):
            digest.update(f"\0{variable}\0{os.environ.get(variable)}".encode())
    return digest.hexdigest()[:24]


def ensure_manifest(project: Path = DBT_PROJECT, engine: str = DUCKDB) -> Path:
    """The manifest of the project as its files are now, for an engine, parsed first if nobody has yet. Any number may call at once.

    Raises `EnvironmentUnusableError` if there is no project, it does not parse, or there is no place to keep it.
    """
    if not (project / "dbt_project.yml").exists():
        raise EnvironmentUnusableError(f"{project} is no dbt project: set RELIABILITY_DBT_PROJECT to one, or unset it.")
    cache = load_settings().cache / "dbt"
    manifest = cache / _digest(project, engine) / "manifest.json"
    if manifest.exists():
        return manifest
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if cache.stat().st_uid not in (os.getuid(), 0):
            raise PermissionError(errno.EPERM, "it belongs to another user")
        with locked(cache / "parse.lock"):
            if not manifest.exists():
                manifest = _parse(project, cache, engine) / manifest.name
    except OSError as error:
        raise EnvironmentUnusableError(
            f"What dbt has parsed cannot be kept in {cache}: {error.strerror or type(error).__name__}. Set "
            "RELIABILITY_CACHE to a folder that can be written to."
        ) from None
    return manifest


def project_run(project: Path, manifest: Path) -> Path:
    """The project that dbt runs in: with an own one, the copy in which both are."""
    return project if OWN_DBT_PROJECT is None else project_of(manifest)


def project_of(manifest: Path) -> Path:
    """The copy of the project that a manifest was parsed from."""
    return manifest.parent / "project"


def _parse(project: Path, cache: Path, engine: str) -> Path:
    """Copy and parse into a draft, put it into place in one step, make room; returns the place. The caller has the lock:
    drafts that are there are those of killed processes.
    """
    from dbt.cli.main import dbtRunner

    own = own_project()
    if own is not None:
        from reliability_platform.warehouse.own_lacks import refuse_before_parsing

        refuse_before_parsing(own, project)
    for draft in cache.glob(".draft-*"):
        shutil.rmtree(draft, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=cache))
    try:
        copy = project_of(draft / "manifest.json")
        files = list(_files(project))
        for name, path in files:
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        before = _differs_in_models_alone(cache, copy, files)
        if before is not None:
            shutil.copyfile(before.with_name(PARSED), draft / PARSED)
        named = [f"--target={engine}"] if engine == SPARK else []
        with _nowhere():
            result = dbtRunner().invoke(
                quiet_arguments("parse", "--log-level=none", *named, project=copy, target=draft)
            )
        if not result.success:
            raise EnvironmentUnusableError(f"The dbt project does not parse: {result.exception}")
        # Of what was parsed: somebody may be editing the project.
        place = cache / _digest_of([(name, copy / name) for name, _ in files], engine)
        if place.exists():
            return place
        for path in (draft / "manifest.json", draft / PARSED):
            with path.open("rb") as written:
                os.fsync(written.fileno())
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    kept = sorted(cache.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)
    for old in kept[:-KEPT]:
        shutil.rmtree(old.parent, ignore_errors=True)
    return place


@contextmanager
def _nowhere() -> Iterator[None]:
    """dbt takes up what it has parsed where the warehouse has the same path as then: none of a home, always the same."""
    before = os.environ.get(HOME)
    os.environ[HOME] = "/nowhere"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(HOME)
        else:
            os.environ[HOME] = before


def _differs_in_models_alone(cache: Path, copy: Path, files: Sequence[tuple[str, Path]]) -> Path | None:
    """The manifest of the state that was parsed last, if the one to be parsed has the same files, and other SQL of models at most:
    then dbt reads those models again, and takes the rest as it is. What else decides about nodes that did not change, such as
    macros and configurations, dbt follows less surely: then all is parsed.
    """
    found = sorted(cache.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)
    if OWN_DBT_PROJECT is not None or not found:
        return None
    then, names = project_of(found[-1]), [name for name, _ in files]
    if sorted(_below(str(then), "")) != sorted(names):
        return None
    same = [_is_sql_of_a_model(name) or filecmp.cmp(then / name, copy / name, shallow=False) for name in names]
    return found[-1] if all(same) else None


def _is_sql_of_a_model(name: str) -> bool:
    return name.startswith("models/") and name.endswith(".sql")


def _after(parts: Sequence[str], beginning: str) -> Sequence[str]:
    """The parts of a path after the one that begins so."""
    return parts[next(number for number, part in enumerate(parts) if part.startswith(beginning)) + 1 :]


def parsed_project(manifest: Path) -> Any:
    """The manifest as dbt's own object, to run one command with. Where there are ephemeral models, dbt leaves in it what it
    has put where, and a second command would find none of it again: such a project is read anew for each.
    """
    shared = _shared_project(manifest)
    has_ephemeral = any(node.config.materialized == "ephemeral" for node in shared.nodes.values())
    return _project(manifest) if has_ephemeral else shared


@lru_cache(maxsize=2)
def _shared_project(manifest: Path) -> Any:
    return _project(manifest)


def _project(manifest: Path) -> Any:
    """As an earlier process has read it, 0.02 s; dbt's own format takes 0.4 s in a fresh process.

    Its parts are kept one by one: dbt's own way to pickle a manifest leaves some out.
    """
    from dbt.contracts.graph.manifest import Manifest

    kept = manifest.with_name(f"project-{made_with()}.pickle")
    with suppress(OSError, *NOT_KEPT_WHOLE):
        return Manifest(**pickle.loads(written_by_us(kept)))  # noqa: S301
    parsed = _read_project(manifest)
    parts = {one.name: getattr(parsed, one.name) for one in fields(Manifest) if not one.name.startswith("_")}
    with suppress(OSError):  # where there is no place to keep it, the next process reads it again
        write_atomically(kept, pickle.dumps(parts))
    return parsed


def written_by_us(path: Path) -> bytes:
    """What is in a file that may run anything. Raises `OSError` if another user may have written it: there may be no other place
    for it than the temporary folder.
    """
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        if about.st_uid != os.getuid() or about.st_mode & stat.S_IWOTH:
            raise PermissionError(errno.EPERM, "another user may have written it")
        return file.read()


def _read_project(manifest: Path) -> Any:
    from dbt.contracts.graph.manifest import Manifest

    parsed = Manifest.from_msgpack(manifest.with_name(PARSED).read_bytes())
    for node in parsed.nodes.values():
        root = getattr(node, "root_path", None)
        if (
            root is not None
        ):  # of a seed: where it lay in the draft in which it was parsed, which has another name since
            node.root_path = str(manifest.parent / Path(*_after(Path(root).parts, ".draft-")))  # type: ignore[union-attr]
        if OWN_DBT_PROJECT is not None and is_built_whole(node.to_dict()):
            node.config.full_refresh = True  # type: ignore[union-attr]
    for source in parsed.sources.values():
        from_their_folder(source)
    parsed.build_flat_graph()  # type: ignore[no-untyped-call]
    return parsed
