"""What the documents say about each failure class, beside what `classes` knows: texts, read from `class_texts.yml`.

Texts are the platform's own Markdown. `{id}`, `{source}`, `{first}`, `{last}` stand for the incident's own names.
"""

from dataclasses import dataclass
from pathlib import Path

from reliability_platform.incidents.classes import CLASSES
from reliability_platform.yaml_text import read_yaml


@dataclass(frozen=True)
class Prevention:
    """Something that would keep a class of failures from coming back, as an action item proposes it."""

    what: str
    owner: str
    """`source` or `platform`: whose work it is."""
    days: int
    """How long it may take."""


@dataclass(frozen=True)
class ClassText:
    """The page of a failure class, as far as it is words."""

    symptoms: tuple[str, ...]
    """What people notice before anybody shows them a check."""
    causes: tuple[str, ...]
    """What was behind it most often."""
    to_do: tuple[str, ...]
    """Containment that the platform cannot do by itself."""
    decide: str
    """What a person must make up their mind about, or what automation does not need one for."""
    validation: str
    """What besides the checks shows that it is over."""
    escalate: str
    """When to call for somebody else, and whom."""
    questions: tuple[str, ...]
    """Names of questions to the warehouse."""
    prevention: tuple[Prevention, ...]
    afterwards: tuple[str, ...] = ()
    """What recovery does not do, and people must once it is over."""


OPTIONAL = frozenset({"afterwards"})


def _read(name: str, declared: dict[str, object]) -> ClassText:
    wanted = set(ClassText.__dataclass_fields__)
    if set(declared) | OPTIONAL != wanted:
        raise RuntimeError(f"class_texts.yml: {name} has not exactly the texts {sorted(wanted - OPTIONAL)}")
    lists = {key: tuple(value) for key, value in declared.items() if isinstance(value, list)}
    items = tuple(Prevention(**item) for item in lists["prevention"])
    return ClassText(**{**declared, **lists, "prevention": items})  # type: ignore[arg-type]


def _texts() -> dict[str, ClassText]:
    declared = read_yaml(Path(__file__).with_name("class_texts.yml").read_text())
    if declared.keys() != CLASSES.keys():
        raise RuntimeError(f"every failure class needs its texts; these disagree: {declared.keys() ^ CLASSES.keys()}")
    return {name: _read(name, texts) for name, texts in declared.items()}


TEXTS: dict[str, ClassText] = _texts()
