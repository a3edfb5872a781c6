"""A failure class is one file: what it lacks, and what nobody reads, is refused when it is read."""

import shutil
from pathlib import Path

import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import SOURCES
from reliability_platform.contracts.rejections import Rule
from reliability_platform.errors import UsageError
from reliability_platform.incidents import classes
from reliability_platform.incidents.classes import CLASSES, read_classes
from reliability_platform.remediation.actions import ACTIONS
from reliability_platform.remediation.conditions import CONDITIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(classes.__file__).parent, tmp_path / "classes"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("spoils_numbers: true", "spoils_number: true", r"null_spike.yml, line \d+: spoils_number"),
        ("  max_attempts: 2", "  max_attempts: many", "null_spike.yml.*max_attempts"),
        ("  decide:", "  decision:", "null_spike.yml.*texts.decision"),
        ("harm: degraded", "harm: terrible", "null_spike.yml.*harm"),
        ("cause: producer", "cause: the_moon", "null_spike.yml.*the_moon"),
        ("profile_anomaly]", "skewed_keys]", "null_spike.yml: explains skewed_keys, which no file declares"),
        ("rejections: [missing]", "rejections: [absent]", "null_spike.yml.*rejections"),
        ("precedence: 130", "precedence: 140", "the same precedence"),
        ("precedence: 130", "precedence: yes", "null_spike.yml, line 2: precedence: must be a whole number"),
        (
            "precedence: 130",
            "precedence: 130\nprecedence: 131",
            "null_spike.yml, line 3: precedence stands there twice",
        ),
        ("precedence: 130", "precedence: [", "null_spike.yml, line 4 is not YAML: "),
        ("profile_anomaly]", "null_spike]", "null_spike.yml: explains itself"),
    ],
)
def test_a_file_that_says_what_nobody_reads_is_refused(folder: Path, before: str, after: str, told: str) -> None:
    """A misspelt key would silently leave its default: a class that spoils numbers would wake nobody."""
    file = folder / "null_spike.yml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    with pytest.raises(UsageError, match=f"(?s){told}"):
        read_classes(folder)


@pytest.mark.parametrize("content", [b"", b"- a list", b"title: \xff", b"a: b: c"])
def test_a_file_that_holds_no_class_is_refused_in_one_line(folder: Path, content: bytes) -> None:
    """It ended as a fault of the platform, whose masked text named no file."""
    (folder / "null_spike.yml").write_bytes(content)
    with pytest.raises(UsageError, match=r"^null_spike\.yml[, ][^\n]+$"):
        read_classes(folder)


def test_a_class_of_ones_own_is_one_file(folder: Path) -> None:
    """It stands where its number puts it, between those that there are."""
    text = (folder / "null_spike.yml").read_text()
    (folder / "empty_strings.yml").write_text(text.replace("precedence: 130", "precedence: 135"))
    assert list(read_classes(folder)) == [
        name for one in CLASSES for name in ([one, "empty_strings"] if one == "null_spike" else [one])
    ]


def test_what_the_files_name_exists() -> None:
    """An action, a condition or a check that nobody has would be missed only at the first incident of the class."""
    assert {spec.failure_class for spec in CHECKS.values()} <= CLASSES.keys()
    for one in CLASSES.values():
        proof = (*one.policy.proof, *one.policy.event_date_proof)
        assert one.policy.action in ACTIONS, one.name
        assert set(one.policy.conditions) <= CONDITIONS.keys(), one.name
        assert one.policy.action != "retry" or one.cause.is_transient, f"{one.name} fails for the same cause again"
        assert {name.format(source=source) for name in proof for source in SOURCES} <= CHECKS.keys(), one.name


def test_a_reason_of_rejected_rows_belongs_to_one_class() -> None:
    """By it the share of rejected rows finds its cause; of two classes nobody could say which."""
    owners = [rule for one in CLASSES.values() for rule in one.rejections]
    assert sorted(owners) == sorted(Rule)


OWN_WORDS = """
first_steps: [Call the payments desk.]
policy: {max_attempts: 1, automatic: false, escalation: the payments team}
texts: {decide: "Whether {source} may go out without the column from {first} on."}
"""


def test_a_project_says_some_of_a_class_otherwise_and_the_rest_stays(folder: Path, tmp_path: Path) -> None:
    """A new release brings its own files; what the project says stands in the project's folder."""
    own = tmp_path / "failure_classes"
    own.mkdir()
    (own / "null_spike.yml").write_text(OWN_WORDS)
    shipped, read = CLASSES["null_spike"], read_classes(folder, own)["null_spike"]
    assert read.first_steps == ("Call the payments desk.",)
    assert (read.policy.max_attempts, read.policy.automatic, read.policy.escalation) == (1, False, "the payments team")
    assert (read.policy.action, read.policy.conditions) == (shipped.policy.action, shipped.policy.conditions)
    assert read.texts.decide.startswith("Whether {source}") and read.texts.symptoms == shipped.texts.symptoms
    others = read_classes(folder, own)
    del others["null_spike"]
    assert others == {name: one for name, one in CLASSES.items() if name != "null_spike"}


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("nul_spike", "first_steps: [x]", "there is no failure class 'nul_spike': do you mean null_spike?"),
        ("null_spike", "policy: {max_attempt: 1}", "policy.max_attempt: .*do you mean max_attempts; it can say: "),
        ("null_spike", "policy: {action: rebuild}", "policy.action: a project cannot say this of a class"),
        ("null_spike", "harm: minor", "harm: a project cannot say this of a class"),
        ("null_spike", "policy: {max_attempts: 99}", "it must be between 1 and 20"),
        ("null_spike", "policy: {automatic: perhaps}", "policy.automatic"),
        ("null_spike", "texts: [x]", "texts: it must hold keys and values"),
        ("null_spike", "texts: {decide: 'a {brace}'}", "braces may hold id, source, first or last alone"),
        ("null_spike", "texts: {decide: 'a {source.__class__}'}", "braces may hold"),
        ("null_spike", "texts: {to_do: ['{0}']}", "braces may hold"),
    ],
)
def test_what_a_project_cannot_say_of_a_class_is_refused(
    folder: Path, tmp_path: Path, name: str, said: str, told: str
) -> None:
    """What another action does to the data, or what proves it, is not for a file of texts to say."""
    own = tmp_path / "failure_classes"
    own.mkdir()
    (own / f"{name}.yml").write_text(said)
    with pytest.raises(UsageError, match=rf"^failure_classes/{name}\.yml.*{told}"):
        read_classes(folder, own)
