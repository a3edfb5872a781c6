"""Settings are documented where people look, with the defaults that they have."""

import re

from docs.generate import settings
from reliability_platform.settings import PREFIX, PROJECT_ROOT, Settings
from tests.conventions.documents import ALL_TEXT, PAGES

DOCUMENTS = {str(one): one.read_text(encoding="utf-8") for one in [*PROJECT_ROOT.glob("*.md"), *PAGES]}


def test_every_setting_says_what_it_is() -> None:
    """Eight settings were documented nowhere, `RELIABILITY_SHARED_HOME` and `RELIABILITY_REMEDIATION_BUDGET` among them."""
    assert not [line for line in settings().splitlines() if line.endswith("|  |")]


def test_every_variable_that_a_document_names_is_one() -> None:
    """Whoever copies a name out of a text has it refused at best."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name, text in DOCUMENTS.items():
        named = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text))
        assert named <= known | {f"{PREFIX}AUTOMATON"}, name


def test_a_default_that_the_readme_gives_is_the_default() -> None:
    """A number that is written twice is wrong in one of the places after the next change."""
    given = re.findall(rf"`(?:{PREFIX}|…_)([A-Z_]+)`,? \(?(\d[\d:.-]*)(?=[\s),])", ALL_TEXT)
    assert len(given) > 3
    for name, said in given:
        [field] = [one for one in Settings.model_fields if one.endswith(name.lower())]
        assert str(Settings.model_fields[field].default) == said, name
