"""Pages that are made from the code are what the code says."""

import pytest

from docs.generate import PAGES, REFERENCE
from reliability_platform.settings import PROJECT_ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    """Tables that people copy by hand are wrong within a month."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m docs.generate"


def test_no_generated_page_knows_this_machine() -> None:
    """A default that is a path would be another one on every machine."""
    assert not [name for name in PAGES if str(PROJECT_ROOT) in (REFERENCE / name).read_text(encoding="utf-8")]
