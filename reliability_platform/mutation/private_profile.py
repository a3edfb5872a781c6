"""The profile of a project, and a private one that differs in where it builds and in what it may open.

Values are passed on as they are written, `{{ env_var('…') }}` unrendered: a secret is never held here, shown or stored.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from reliability_platform.mutation.errors import NoProjectError, ProjectUnusableError
from reliability_platform.mutation.private_copy import PrivateFolder, copy_database, copy_file
from reliability_platform.mutation.sql_text import literal, quoted

PRIVATE_PROJECT_DATABASE = "project.duckdb"
DUCKDB = "duckdb"
NOT_PASSED_ON = frozenset({"database", "remote", "retries", "secrets"})
"""`secrets` open what the guard keeps shut, and to make one DuckDB fetches the extension of its kind."""
GUARD = "reliability_platform.mutation.guard"


@dataclass(frozen=True)
class ProfileChoice:
    """What was asked for on the command line; None for what the project says."""

    profiles_dir: Path | None = None
    profile: str | None = None
    target: str | None = None
    warehouse: str | None = None
    """The kind of warehouse that the project is written for, where no profile says so."""


@dataclass(frozen=True)
class PrivateProfile:
    """A profile that builds in copies."""

    name: str
    target: str
    file: Path
    catalogs: dict[str, Path]
    """The copies by the names under which SQL knows them; the first is the one that the project is built in."""
    extensions: tuple[str, ...]
    originals: tuple[Path, ...]
    """The databases that were copied."""
    warehouse: str
    """What the project is written for: `duckdb`, or the warehouse whose adapter DuckDB stands in for."""
    notes: tuple[str, ...]
    """What is otherwise than the project says, for people."""
    is_native: bool = False
    """Whether the project is built in its own warehouse: `catalogs` hold copies of its inputs alone then."""

    def catalog(self, name: str) -> Path:
        """The copy that SQL knows under a name. Raises `ProjectUnusableError`."""
        found = next((path for known, path in self.catalogs.items() if known.lower() == name.lower()), None)
        if found is None:
            raise ProjectUnusableError(
                f"The profile knows no database {name!r}: name the target that does with --target."
            )
        return found


def project_file(folder: Path) -> dict[str, Any]:
    """The project's own file. Raises `NoProjectError` where there is none or it is no YAML."""
    path = folder / "dbt_project.yml"
    if not path.is_file():
        raise NoProjectError(f"There is no dbt_project.yml in {folder}: name the folder of a dbt project.")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or "name" not in found:
        raise NoProjectError(f"{path} is no dbt project file: `dbt parse` says what is wrong with it.")
    return found


def make_private(
    project: Path, choice: ProfileChoice, folder: PrivateFolder, beside: Path | None = None
) -> PrivateProfile:
    """Copy the databases of the project's profile and write a profile for the copies.

    `beside` is the folder that relative paths are relative to, where it is not the project's.

    A project without a profile, or with one for another kind of warehouse, gets an empty DuckDB: its seeds can still be broken.
    Raises `ProjectUnusableError` for a database that is no local DuckDB file.
    """
    declared = project_file(project)
    name = choice.profile or str(declared.get("profile") or declared["name"])
    target, output, warehouse, lack = _declared_output(_profiles_folder(beside or project, choice), name, choice)
    notes = [lack] if lack else []
    originals: list[Path] = []

    def copied(path: str) -> Path:
        original = _local(path, beside or project)
        if original.exists():
            originals.append(original)
        return copy_database(original, folder)

    path = _rendered(str(output.get("path") or output.get("database") or ":memory:"))
    if path == ":memory:":
        database = folder.databases / PRIVATE_PROJECT_DATABASE
        notes += [] if lack else ["the profile builds in memory: no table of a source can be there"]
    else:
        database = copied(path)
    attached = []
    for one in output.get("attach") or ():
        entry = {"path": one} if isinstance(one, str) else dict(one)
        entry["path"] = str(copied(_rendered(str(entry["path"]))))
        entry.setdefault("alias", Path(entry["path"]).stem)
        attached.append(entry)
    guard = {"module": GUARD, "config": {"folders": [str(folder.path)], "files": []}}
    private = {
        **{key: value for key, value in output.items() if key not in NOT_PASSED_ON},
        "type": warehouse,
        "path": str(database),
        "threads": min(int(output.get("threads") or 1), os.cpu_count() or 1),
        "external_root": str(folder.path / "external"),
        "plugins": [*(output.get("plugins") or ()), guard],
        **({"attach": attached} if attached else {}),
    }
    (folder.path / "external").mkdir(exist_ok=True)
    written = _written(folder, name, target, private)
    catalogs = {database.stem: database, **{str(one["alias"]): Path(one["path"]) for one in attached}}
    extensions = tuple(
        str(one["name"] if isinstance(one, dict) else one) for one in output.get("extensions") or () if one
    )
    return PrivateProfile(name, target, written, catalogs, extensions, tuple(originals), warehouse, tuple(notes))


def make_native(
    project: Path, choice: ProfileChoice, folder: PrivateFolder, beside: Path | None = None
) -> PrivateProfile:
    """Write a profile as the project's own, with nothing of it read but its kind. Raises `ProjectUnusableError` where there is none."""
    declared = project_file(project)
    name = choice.profile or str(declared.get("profile") or declared["name"])
    looked_in = _profiles_folder(beside or project, choice)
    target, output, kind, lack = _declared_output(looked_in, name, choice, whole=True)
    if lack:
        raise ProjectUnusableError(
            f"There is no profile {name!r} in {looked_in}: --native needs that of the warehouse, name its folder with --profiles-dir."
        )
    return PrivateProfile(name, target, _written(folder, name, target, output), {}, (), (), kind, (), is_native=True)


def _written(folder: PrivateFolder, name: str, target: str, output: Mapping[str, Any]) -> Path:
    written = folder.profiles / "profiles.yml"
    written.touch(mode=0o600)
    written.write_text(yaml.safe_dump({name: {"target": target, "outputs": {target: output}}}), encoding="utf-8")
    return written


def allow_reading(profile: PrivateProfile, folders: Sequence[str], files: Sequence[str]) -> None:
    """Let the project open these folders and files too: what its models and sources read beside its databases."""
    if profile.is_native:
        return
    content = yaml.safe_load(profile.file.read_text(encoding="utf-8"))
    guard = content[profile.name]["outputs"][profile.target]["plugins"][-1]["config"]
    guard["folders"] += folders
    guard["files"] += files
    profile.file.write_text(yaml.safe_dump(content), encoding="utf-8")


def add_catalogs(profile: PrivateProfile, folder: PrivateFolder, names: Iterable[str]) -> None:
    """Have an empty database for each that the project names and the profile has not: of its sources, and of models elsewhere."""
    known = {one.lower() for one in profile.catalogs}
    content = yaml.safe_load(profile.file.read_text(encoding="utf-8"))
    output = content[profile.name]["outputs"][profile.target]
    for name in sorted({one.lower(): one for one in names}.values()):
        if name.lower() not in known:
            path = folder.databases / f"other_{len(profile.catalogs)}.duckdb"
            profile.catalogs[name] = path
            # dbt-duckdb writes an alias into its statement as it is.
            output.setdefault("attach", []).append({"path": str(path), "alias": quoted(name)})
    profile.file.write_text(yaml.safe_dump(content), encoding="utf-8")


def another_copy(folder: PrivateFolder, profile: PrivateProfile, name: str) -> tuple[PrivateFolder, dict[str, Path]]:
    """Another private folder in this one, with copies of the databases as they are now, and a profile for them."""
    there = PrivateFolder(folder.path / name)
    for each in (there.target, there.profiles, there.databases, there.path / "external"):
        each.mkdir(parents=True, mode=0o700)
    for path in folder.databases.iterdir():
        copy_file(path, there.databases / path.name)
    written = there.profiles / profile.file.name
    written.touch(mode=0o600)
    text = profile.file.read_text(encoding="utf-8")
    for one in ("databases", "external"):
        text = text.replace(str(folder.path / one), str(there.path / one))
    written.write_text(text, encoding="utf-8")
    return there, {key: there.databases / path.name for key, path in profile.catalogs.items()}


@contextmanager
def attached(catalogs: Mapping[str, Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with each of these databases that is there, to be written to."""
    with duckdb.connect() as connection:
        for name, path in catalogs.items():
            if path.exists():
                connection.execute(f"attach {literal(str(path))} as {quoted(name)}")
        yield connection


def may_open(profile: PrivateProfile) -> tuple[list[str], list[str]]:
    """The folders and the files that the project may open."""
    if profile.is_native:
        return [str(profile.file.parent.parent)], []
    content = yaml.safe_load(profile.file.read_text(encoding="utf-8"))
    guard = content[profile.name]["outputs"][profile.target]["plugins"][-1]["config"]
    return guard["folders"], guard["files"]


def _profiles_folder(project: Path, choice: ProfileChoice) -> Path:
    """Where dbt would look."""
    if choice.profiles_dir is not None:
        return choice.profiles_dir
    return project if (project / "profiles.yml").exists() else Path.home() / ".dbt"


def _declared_output(
    folder: Path, name: str, choice: ProfileChoice, *, whole: bool = False
) -> tuple[str, dict[str, Any], str, str]:
    """The target of the profile as it is written, its kind of warehouse, and what is lacking, for people; `whole`, whatever it is for."""
    written_for = choice.warehouse or DUCKDB
    none = f"no profile {name!r} was found: the project is built in an empty DuckDB, from its seeds and --inputs"
    nothing: tuple[str, dict[str, Any], str, str] = "dev", {"schema": "main"}, written_for, none
    path = folder / "profiles.yml"
    if not path.is_file():
        return nothing
    try:
        profiles = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ProjectUnusableError(f"{path} is no YAML: `dbt debug` says what is wrong with it.") from None
    profile = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(profile, dict):
        return nothing
    outputs = profile.get("outputs") or {}
    chosen = choice.target or _rendered(str(profile.get("target") or "default"))
    output = outputs.get(chosen)
    if not isinstance(output, dict):
        raise ProjectUnusableError(
            f"The profile {name!r} has no target {chosen!r}: choose one of {', '.join(sorted(map(str, outputs)))} with --target."
        )
    kind = choice.warehouse or _rendered(str(output.get("type")))
    if kind != DUCKDB and not whole:
        # Nothing else of it is looked at: no secret, and no name of a host.
        kept = {"schema": output.get("schema") or output.get("dataset") or "main"}
        return (
            chosen,
            kept,
            kind,
            f"the profile is for {kind}: the project is built in DuckDB, from its seeds and --inputs",
        )
    return chosen, output, kind, ""


def _rendered(text: str) -> str:
    """A value of the profile, with the environment put in."""
    if "{{" not in text:
        return text
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    set_invocation_context(os.environ)
    try:
        return str(ProfileRenderer({}).render_value(text))
    except DbtBaseException as error:
        said = " ".join(str(error).split())[:200]
        raise ProjectUnusableError(
            f"The profile cannot be read: {said} — set what it asks the environment for."
        ) from None


def _local(path: str, project: Path) -> Path:
    if path.startswith(("md:", "motherduck:")) or "://" in path:
        where = path.partition(":")[0]
        raise ProjectUnusableError(
            f"The profile builds in {where}:…, which is no local file: choose a target with a DuckDB file with --target."
        )
    relative = Path(path).expanduser()
    # dbt takes a relative path from where it is called: most call it in the project's folder, some above it.
    return next((one for one in (project / relative, relative) if one.exists()), project / relative).resolve()
