"""Writes proposed tests into the yml files of a dbt project; what stands there keeps its place, its quotes and its comments."""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.mutation.candidates import MODEL, NEW_YML, CandidateTest
from reliability_platform.mutation.errors import ProjectUnusableError
from reliability_platform.mutation.private_profile import project_file
from reliability_platform.mutation.proposals import ProposedTest

OWN_TESTS = Path("generic") / "reliability_mutate.sql"
SECTIONS = {"seed": "seeds", "source": "sources", MODEL: "models"}


@dataclass(frozen=True)
class ProjectLayout:
    """Where a project keeps what."""

    folder: Path
    test_path: str
    seed_path: str

    @classmethod
    def of(cls, folder: Path) -> "ProjectLayout":
        """As the project's own file says."""
        declared = project_file(folder)

        def first(key: str, default: str) -> str:
            paths = declared.get(key)
            return str(paths[0]) if isinstance(paths, list) and paths else default

        return cls(folder, first("test-paths", "tests"), first("seed-paths", "seeds"))


@dataclass(frozen=True)
class FileEdit:
    """A file as it is, and as it would be."""

    path: Path
    before: str
    after: str

    def diff(self, folder: Path) -> str:
        """A unified diff."""
        name = self.path.relative_to(folder).as_posix()
        lines = unified_diff(
            self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
        return "".join(lines)


def edits(layout: ProjectLayout, proposals: Iterable[ProposedTest]) -> list[FileEdit]:
    """The files to change for these tests. Raises `ProjectUnusableError` for a yml that cannot be edited."""
    proposals = list(proposals)
    by_file: dict[Path, list[ProposedTest]] = {}
    for one in proposals:
        path = one.candidate.place.yml or Path(layout.seed_path) / NEW_YML
        by_file.setdefault(layout.folder / path, []).append(one)
    found = [_edited(path, members) for path, members in sorted(by_file.items())]
    if any(not one.candidate.is_builtin for one in proposals):
        target = layout.folder / layout.test_path / OWN_TESTS
        before = target.read_text(encoding="utf-8") if target.exists() else ""
        after = _own_tests(before, {one.candidate.test for one in proposals})
        if before != after:
            found.append(FileEdit(target, before, after))
    return found


def _own_tests(before: str, wanted: set[str]) -> str:
    """The file of the tests that dbt does not bring, with those that are wanted or were there before."""
    written = Path(__file__).with_name("dbt_tests.sql.j2").read_text(encoding="utf-8")
    heading, *tests = re.split(r"(?=^{% test )", written, flags=re.MULTILINE)
    there = set(re.findall(r"{% test (\w+)", before))
    kept = [one for one in tests if re.findall(r"{% test (\w+)", one)[0] in wanted - there]
    return "\n".join(one.strip() + "\n" for one in (before or heading, *kept))


def write(changes: Iterable[FileEdit]) -> None:
    """Replace the files, each in one step."""
    for one in changes:
        write_atomically(one.path, one.after.encode())


def _edited(path: Path, proposals: list[ProposedTest]) -> FileEdit:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    before = path.read_text(encoding="utf-8") if path.exists() else ""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    offset = _list_offset(before)
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    try:
        content = yaml.load(before) if before.strip() else {"version": 2}
    except YAMLError:
        content = None
    if not isinstance(content, dict):
        raise ProjectUnusableError(f"{path} is no yml that can be added to: write the tests there by hand.")
    key = (
        "tests" if re.search(r"^\s*(- )?tests:", before, re.MULTILINE) and "data_tests:" not in before else "data_tests"
    )
    for one in proposals:
        _add(content, one.candidate, one.entry, key)
    after = io.StringIO()
    yaml.dump(content, after)
    return FileEdit(path, before, after.getvalue())


def _list_offset(text: str) -> int:
    """How far the file indents lists below their key."""
    found = re.search(r"^( *)[\w-]+:[ \t]*\n(?:[ \t]*(?:#.*)?\n)*( *)- ", text, re.MULTILINE)
    return max(0, len(found.group(2)) - len(found.group(1))) if found is not None else 2


def _add(content: Any, candidate: CandidateTest, entry: Any, key: str) -> None:
    section = _list(content, SECTIONS[candidate.place.kind])
    if candidate.place.kind == "source":
        source, _, table = candidate.place.name.partition(".")
        described = _named(_list(_named(section, source), "tables"), table)
    else:
        described = _named(section, candidate.place.name)
    if candidate.column:
        described = _named(_list(described, "columns"), candidate.column)
    tests = _list(described, next((one for one in ("data_tests", "tests") if one in described), key))
    if entry not in tests:
        tests.append(entry)


def _list(within: Any, key: str) -> Any:
    if within.get(key) is None:
        within[key] = []
    return within[key]


def _named(within: Any, name: str) -> Any:
    """The entry of that name, at the end of the list if it is new."""
    for one in within:
        if isinstance(one, dict) and one.get("name") == name:
            return one
    within.append({"name": name})
    return within[-1]
