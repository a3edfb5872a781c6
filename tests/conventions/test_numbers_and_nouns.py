"""A number stands with the noun that fits it: "1 rows" and "1 days" are read by whoever looks at a small thing gone wrong."""

import ast
import re
from collections.abc import Iterator

import pytest

from reliability_platform.checks.native import native_checks
from reliability_platform.counted import agreeing, counted
from reliability_platform.settings import load_settings
from tests.conventions.code import MODULES, ROOT, nodes_of, tree_of

NOUNS = (
    "actions alerts attempts batches characters checks columns controls customers dates days drafts entries events faults "
    "failures files hours incidents keys measures messages minutes models months nodes orders partitions payments requests "
    "rows runs scenarios seconds snapshots sources steps tables tests times values versions weeks"
)
PLURAL = re.compile(rf" (?:(?!of|as|delivers)[a-z-]+ )?(?:{'|'.join(NOUNS.split())})\b")
MANY = re.compile(
    r"[A-Z_]+|CLEAN_DAYS \+ 2|len\(INJECTIONS\)|\w*(?:seconds|hours|days)(?: or 0\) / 3600)?|.*\.get\('cores', .*"
)
"""Constants, which are more than one, and what has decimals."""


def wrong_in(tree: ast.AST) -> Iterator[str]:
    """Each place of an f-string where a number that may be one is followed by a noun in the plural."""
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        for value, after in zip(text.values, text.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            decimals = (
                isinstance(value.format_spec, ast.JoinedStr) and ast.unparse(value.format_spec).strip("f'") != ","
            )
            said = PLURAL.match(str(after.value))
            if said and not decimals and not MANY.fullmatch(ast.unparse(value.value)):
                yield f"{text.lineno}: {{{ast.unparse(value.value)}}}{said[0]}"


def test_no_text_of_the_platform_has_one_rows() -> None:
    """The timeline of every incident said "1 event dates", a search for old files "1 earlier steps"."""
    found = [f"{path.relative_to(ROOT)}:{one}" for path in MODULES for one in wrong_in(tree_of(path))]
    assert found == [], "write counted(number, noun)"


def test_what_is_not_there_has_one_sign() -> None:
    """`formats.NOTHING`: a dash was written by hand in nineteen modules, a hyphen or a blank in the next one."""
    by_hand = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if path.name != "formats.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and node.value in ("–", "—")
    ]
    assert by_hand == []


@pytest.mark.parametrize(
    ("number", "one", "many", "said"),
    [
        (1, "batch", None, "1 batch"),
        (0, "batch", None, "0 batches"),
        (2, "entry", None, "2 entries"),
        (2, "day", None, "2 days"),
        (1_000, "landing day", None, "1,000 landing days"),
        (1, "alert is", "alerts are", "1 alert is"),
        (3, "alert is", "alerts are", "3 alerts are"),
    ],
)
def test_a_number_agrees_with_its_noun(number: int, one: str, many: str | None, said: str) -> None:
    """The rule, and what it does not know."""
    assert counted(number, one, many) == said


def test_what_a_check_counts_agrees_with_its_number() -> None:
    """Each native check may find one of what it counts: "1 files refused for their columns" stood in runbooks."""
    for name, check in native_checks(load_settings()).items():
        first = agreeing(1, f"1 {check.unit}")
        assert not PLURAL.match(first[1:]), f"{name}: {first}"
    unit = "row|rows contradicts|contradict an earlier one of its|their key"
    assert agreeing(1, unit) == "row contradicts an earlier one of its key"
    assert agreeing(2, unit) == "rows contradict an earlier one of their key"


def test_a_place_that_is_wrong_is_found() -> None:
    """This test can fail."""
    assert list(wrong_in(ast.parse('f"{len(rows):,} late rows of {DAYS} days"'))) == ["1: {len(rows)} late rows"]
