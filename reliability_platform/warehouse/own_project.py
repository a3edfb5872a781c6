"""A person's own dbt project, and the project that is parsed and run of it: theirs, with the platform's as a package in it.

What belongs here: which files of theirs dbt reads, and where the platform's stand beside them. Theirs stays the root, so
that names, schemas, vars, dispatch and packages mean what they mean to its owner; nothing is written into it.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.generation import NOTHING_READ, FedTable, OwnReads, Place
from reliability_platform.contracts.names import ORIGINAL_NAMES
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.reference import tables_of_project
from reliability_platform.settings import OWN_DBT_PROJECT, own_dbt_project
from reliability_platform.strict_yaml import read_yaml

PACKAGE = "reliability_platform"
"""The platform's part, as a package of dbt and as a profile."""
PATHS = {
    "model-paths": "models",
    "seed-paths": "seeds",
    "snapshot-paths": "snapshots",
    "macro-paths": "macros",
    "test-paths": "tests",
    "analysis-paths": "analyses",
    "docs-paths": None,
    "asset-paths": None,
    "function-paths": "functions",
}
"""Keys of dbt_project.yml that name folders, and dbt's own default. What lies elsewhere, as a virtual environment or the
warehouse of a developer, is no part of the project."""
_NOT_BUILDING = ("test-paths", "analysis-paths", "docs-paths", "asset-paths")
_RELATIVE = re.compile(r"(?!/|\w+:)[^()'\"\n]+")
"""A path of a file, and neither a URL nor a call as `read_csv('…')`."""
FILES = (
    "dbt_project.yml", "packages.yml", "dependencies.yml", "package-lock.yml", "selectors.yml", "groups.yml",
)  # fmt: skip
NOT_READ = frozenset({"target", "logs", "__pycache__", "node_modules", "integration_tests", ".git"})
"""Folders of installed packages that dbt does not need."""
SOURCE_MACRO = Path(__file__).with_name("own_source.sql.j2")
"""The macro that every `source()` of theirs meets: dbt looks for one of this name in the root alone."""


class OwnProject:
    """The project in a folder. Raises `EnvironmentUnusableError` if there is none, or its dbt_project.yml is unreadable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            said = read_yaml((folder / "dbt_project.yml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise EnvironmentUnusableError(
                f"{folder} is no dbt project: its dbt_project.yml cannot be read ({type(error).__name__}). "
                "RELIABILITY_OWN_DBT_PROJECT names the folder in which that file is."
            ) from None
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            raise EnvironmentUnusableError(f"{folder / 'dbt_project.yml'} has no name: dbt cannot read it either.")
        self.said: Mapping[str, Any] = said

    @property
    def name(self) -> str:
        """What dbt calls it."""
        return str(self.said["name"])

    @property
    def version(self) -> str:
        """What it declares; dbt asks for none."""
        return str(self.said.get("version") or "0")

    @property
    def installed(self) -> str:
        """Where `dbt deps` puts packages."""
        return str(self.said.get("packages-install-path") or "dbt_packages")

    def _folders(self, key: str) -> list[str]:
        default = PATHS[key]
        said = self.said.get(key, [default] if default else [])
        return [str(one) for one in (said if isinstance(said, list) else [said])]

    def kinds_of_folders(self) -> dict[str, str]:
        """The folders that dbt reads of it, each with the name that such a folder has by default."""
        return {folder: usual for key, usual in PATHS.items() if usual for folder in self._folders(key)}

    @cached_property
    def declared_packages(self) -> int:
        """How many packages it asks for."""
        for name in ("packages.yml", "dependencies.yml"):
            path = self.folder / name
            if path.is_file():
                said = read_yaml(path.read_text(encoding="utf-8")) or {}
                if isinstance(said, dict) and said.get("packages"):
                    return len(said["packages"])
        return 0

    def installed_packages(self) -> list[Path]:
        """The packages that are there."""
        place = self.folder / self.installed
        return sorted(one for one in place.iterdir() if (one / "dbt_project.yml").is_file()) if place.is_dir() else []

    def building_files(self) -> Iterator[tuple[str, Path]]:
        """Those of its files that decide what is built; tests only judge it."""
        judging = tuple(f"{folder}/" for key in _NOT_BUILDING for folder in self._folders(key))
        yield from ((name, path) for name, path in self.files() if not name.startswith(judging))

    def files(self) -> Iterator[tuple[str, Path]]:
        """What dbt reads of it: place in the project, and the file."""
        for name in FILES:
            if (self.folder / name).is_file():
                yield name, self.folder / name
        for folder in sorted({folder for key in PATHS for folder in self._folders(key)}):
            yield from _below(self.folder / folder, folder)
        for package in (one for one in self.installed_packages() if one.name != PACKAGE):
            yield from _below(package, f"{self.installed}/{package.name}")

    def sources(self) -> dict[str, Place]:
        """The sources that its yml declares, as `source.table`, and where each lies; what templates say of that is left to
        dbt's defaults."""
        found = {
            f"{source['name']}.{table['name']}": (
                str(source.get("schema") or source["name"]),
                str(table.get("identifier") or table["name"]),
            )
            for said in self._declared()
            for source in said.get("sources") or ()
            for table in source.get("tables") or ()
        }
        return {
            name: tuple(name.split(".", 1)) if "{{" in "".join(place) else place  # type: ignore[misc]
            for name, place in sorted(found.items())
        }

    def called(self, name: str) -> str | None:
        """The source, else the seed, that is called so; None if there is none, or more than one."""
        alike = [one for one in self.sources() if one.rpartition(".")[2] == name]
        alike = alike or [one for one in self.seeds() if one == name]
        return alike[0] if len(alike) == 1 else None

    def seeds(self) -> list[str]:
        """The names of its seeds."""
        folders = tuple(f"{folder}/" for folder in self._folders("seed-paths"))
        return sorted(
            PurePosixPath(name).stem for name, _ in self.files() if name.startswith(folders) and name.endswith(".csv")
        )

    def models(self) -> list[str]:
        """The names of its models, and of those of its packages."""
        own = tuple(f"{folder}/" for folder in self._folders("model-paths"))
        return sorted(
            PurePosixPath(name).stem
            for name, _ in self.files()
            if name.endswith((".sql", ".py")) and (name.startswith(own) or "/models/" in name)
        )

    def descriptions(self) -> list[Path]:
        """The yml files beside its models."""
        folders = tuple(f"{folder}/" for folder in self._folders("model-paths"))
        return [path for name, path in self.files() if name.startswith(folders) and name.endswith((".yml", ".yaml"))]

    def _declared(self) -> Iterator[Mapping[str, Any]]:
        for path in self.descriptions():
            try:
                said = read_yaml(path.read_text(encoding="utf-8"))
            except (yaml.YAMLError, UnicodeDecodeError):
                continue  # dbt says so, with the line
            if isinstance(said, dict):
                yield said

    def profile(self) -> Mapping[str, Any] | None:
        """The target of its profile: from its folder, from where dbt is told to look, or from the user's; None if there
        is none, or it cannot be read."""
        places = (self.folder, Path(os.environ.get("DBT_PROFILES_DIR") or self.folder), Path.home() / ".dbt")
        path = next((one / "profiles.yml" for one in places if (one / "profiles.yml").is_file()), None)
        try:
            said: Any = read_yaml(path.read_text(encoding="utf-8")) if path is not None else None
            profile = said[self.said["profile"]]
            outputs, target = profile["outputs"], str(profile.get("target") or "default")
            name = target if target in outputs else next(iter(outputs))
            return {**outputs[name], "target": name}
        except (OSError, yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError, StopIteration):
            return None

    def with_platform(self, platform: Path) -> dict[str, Path]:
        """The project that is run: theirs, the platform's models and macros as a package, its profile, its `source`.

        A seed gives way to a model of the platform of the same name: what it stood for is delivered now.
        """
        ours = {
            path.relative_to(platform).as_posix(): path
            for path in sorted(platform.rglob("*"))
            if path.is_file() and not {"target", "logs", "dbt_packages"} & set(path.relative_to(platform).parts)
            and not path.name.startswith(".")
        }  # fmt: skip
        made = {PurePosixPath(name).stem for name in ours if name.startswith("models/") and name.endswith(".sql")}
        seeds = tuple(f"{folder}/" for folder in self._folders("seed-paths"))
        found = {
            name: path
            for name, path in self.files()
            if not (name.startswith(seeds) and PurePosixPath(name).stem in made and name.endswith(".csv"))
        }
        for name, path in ours.items():
            if name == "profiles.yml":
                found[name] = path
            else:
                found[f"{self.installed}/{PACKAGE}/{name}"] = path
        found[f"{self._folders('macro-paths')[0]}/{PACKAGE}__source.sql"] = SOURCE_MACRO
        return found

    def replaced_seeds(self, platform: Path) -> list[str]:
        """The names of seeds that the platform delivers instead."""
        kept = self.with_platform(platform)
        return sorted(PurePosixPath(name).stem for name, _ in self.files() if name not in kept)


def own_reads() -> OwnReads:
    """What an own project reads of what the platform lands: a reference table stands for the source or the seed that is
    called like it, where no contract feeds that.
    """
    own = own_project()
    if own is None:
        return NOTHING_READ
    taken = {contract.feeds for contract in CONTRACTS.values()}
    tables = [(table, own.called(table), path) for table, path in tables_of_project().items()]
    fed = [
        FedTable(table, feeds, _columns(path))
        for table, feeds, path in tables
        if feeds is not None and feeds not in taken
    ]
    return OwnReads(fed, own.sources(), own.descriptions())


def is_own(node: Mapping[str, Any]) -> bool:
    """Whether a node of the manifest is theirs, or of a package of theirs, and none of the platform's."""
    return OWN_DBT_PROJECT is not None and node["package_name"] != PACKAGE


def name_of(node: Mapping[str, Any]) -> str:
    """How the platform calls a node: as dbt does; a model of which there are versions by the name of its table, for dbt calls
    them all alike.
    """
    versioned = node.get("version") is not None and node["resource_type"] == "model"
    return str(node["alias"] if versioned else node["name"])


def is_superseded(node: Mapping[str, Any]) -> bool:
    """Whether there is a later version of a model."""
    return node.get("version") is not None and str(node["version"]) != str(node.get("latest_version"))


def is_built_whole(node: Mapping[str, Any]) -> bool:
    """Whether a table of theirs is built whole each time, although it is written as an incremental one. The platform runs
    days again and in any order; what `where … > (select max(…) from {{ this }})` adds would then be other than what a
    full build gives. `full_refresh: false` in its configuration keeps dbt's own way.
    """
    return is_own(node) and node["config"].get("materialized") == "incremental" and not depends_on_its_runs(node)


def depends_on_its_runs(node: Mapping[str, Any]) -> bool:
    """Whether what a table of theirs holds depends on when and how often it was built."""
    kept = node["config"].get("materialized") == "incremental" and node["config"].get("full_refresh") is False
    return is_own(node) and (node["resource_type"] == "snapshot" or kept)


def _columns(table: Path) -> dict[str, str]:
    """The columns of a reference table, and what they were called before it was kept."""
    import pyarrow.parquet as pq  # 0.2 s, which whoever only asks for checks need not wait for

    schema = pq.read_schema(table)
    kept = (schema.metadata or {}).get(ORIGINAL_NAMES.encode())
    original = json.loads(kept) if kept is not None else {}
    return {name: original.get(name, name) for name in schema.names}


def from_their_folder(source: Any) -> None:
    """A source of theirs that says where it is read from, as dbt's own object: a relative path counts from their folder,
    in which they type dbt, and not from where the platform is run.
    """
    for said in (source.meta, source.config.extra):
        place = said.get("external_location")
        if isinstance(place, str) and OWN_DBT_PROJECT is not None and _RELATIVE.fullmatch(place):
            said["external_location"] = os.path.normpath(OWN_DBT_PROJECT / place)


def own_project() -> OwnProject | None:
    """The one that this process serves; None if the models of the platform's project are all there are."""
    return OwnProject(own_dbt_project() or OWN_DBT_PROJECT) if OWN_DBT_PROJECT is not None else None


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Every file below a folder; local packages are links to folders."""
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(one for one in folders if one not in NOT_READ)
        inside = Path(root).relative_to(folder)
        for file in sorted(files):
            if not file.startswith("."):
                yield (PurePosixPath(name) / inside.as_posix() / file).as_posix(), Path(root) / file
