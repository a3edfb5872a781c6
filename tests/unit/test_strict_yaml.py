"""Everything that people declare in YAML is read by one reader, which says in which line what is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import read_classes
from reliability_platform.incidents.response import read_policy
from reliability_platform.lab.faults.plan import load_plan
from reliability_platform.slo.objectives import read_objectives
from reliability_platform.strict_yaml import MAX_BYTES, StrictYaml

READERS: dict[str, Callable[[Path], object]] = {
    "contract": read_contracts,
    "failure class": lambda path: read_classes(path.parent),
    "objectives": read_objectives,
    "plan": lambda path: load_plan(str(path)),
    "response policy": read_policy,
}
ALIASES = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))])
REFUSED = {
    "a key that stands twice": ("name: a\nother: 1\nname: b\n", "line 3: name stands there twice"),
    "no YAML": ("name: a\nname: [", "line 2 is not YAML"),
    "code": (
        "a: 1\nname: !!python/object/apply:os.getcwd []\n",
        "line 2 is not YAML: could not determine a constructor",
    ),
    "aliases of aliases": (ALIASES, "unfolds to more than 500,000 values"),
    "an alias within itself": ("a: &a [*a]\n", "unfolds to more than 500,000 values"),
    "a text without end": ("a: " + "x" * MAX_BYTES, "longer than 2,000,000 bytes"),
    "brackets without end": ("a: " + "[" * 100_000, "line 1 is not YAML: it is nested more than 100 deep"),
    "a number without end": ("a: " + "9" * 10_000, "cannot be"),
    "a list as a key": ("a: 1\n[x]: 2\n", "line 2 is not YAML|cannot be"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", REFUSED)
def test_every_declaration_is_read_as_strictly(tmp_path: Path, reader: str, case: str) -> None:
    """Of a response policy or a class the second of two keys won, and nine lines of aliases ended a process."""
    text, told = REFUSED[case]
    path = tmp_path / "declared.yml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told) as refused:
        READERS[reader](path)
    assert "declared.yml" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, ContractError) == (reader == "contract")


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_text_is_refused(tmp_path: Path, reader: str) -> None:
    """A file of another program, saved under the name of a declaration."""
    path = tmp_path / "declared.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"declared.yml is no text in UTF-8\.$"):
        READERS[reader](path)


def test_a_date_is_text_until_its_field_is_known() -> None:
    """YAML itself fails on 2026-13-45, without a line."""
    assert StrictYaml("day: 2026-13-45\nkept: 2026-01-02\n", "it").content == {
        "day": "2026-13-45",
        "kept": "2026-01-02",
    }


def test_what_stands_in_a_file_is_found_by_its_place() -> None:
    """Through lists and mappings; of what is not there, the line above it."""
    file = StrictYaml("a:\n  - b: 1\n  - b: 2\n    c: 3\n", "it")
    assert str(file.problem(("a", 1, "c"), "no.")) == "it, line 4: a.1.c: no."
    assert str(file.problem(("a", 1, "missing"), "no.")) == "it, line 3: a.1.missing: no."
    assert str(file.problem_there((), "no.")) == "it, line 1: no."
