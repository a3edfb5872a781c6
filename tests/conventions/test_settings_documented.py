"""Settings are documented where people look, with the defaults that they have."""

import re

from reliability_platform.settings import FOR_DBT, PREFIX, PROJECT_ROOT, Settings
from tests.conventions.settings_page import PAGE, page

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {one.name: one.read_text(encoding="utf-8") for one in PROJECT_ROOT.glob("*.md")}


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    """Eight settings were documented nowhere, `RELIABILITY_SHARED_HOME` and `RELIABILITY_REMEDIATION_BUDGET` among them."""
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.conventions.settings_page"
    assert not [line for line in page().splitlines() if line.endswith("|  |")], "a setting says nothing of itself"


def test_every_variable_that_a_document_names_is_one() -> None:
    """Whoever copies a name out of a text has it refused at best."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name, text in DOCUMENTS.items():
        named = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text))
        assert {one for one in named if not one.startswith(FOR_DBT)} <= known | {f"{PREFIX}AUTOMATON"}, name


def test_a_default_that_the_readme_gives_is_the_default() -> None:
    """A number that is written twice is wrong in one of the places after the next change."""
    given = re.findall(rf"`(?:{PREFIX}|…_)([A-Z_]+)`,? \(?(\d[\d:.-]*)(?=[\s),])", README)
    assert len(given) > 3
    for name, said in given:
        [field] = [one for one in Settings.model_fields if one.endswith(name.lower())]
        assert str(Settings.model_fields[field].default) == said, name
