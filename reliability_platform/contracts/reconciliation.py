"""What the measures of marts must add up to over silver, as whoever writes a mart declares it beside each measure:

    - name: captured_amount
      config: {meta: {adds_up: {of: payments, value: "sum(amount) filter (where status = 'captured')"}}}

`value` is an aggregate over the rows of silver of the source `of`, by event date; `times` names the column by which a share
is multiplied first; `with` joins models, each on its condition; silver is called `silver` then. A model of an own dbt project
says so, too: its days are those of its `meta.event_date`, and without one all of it is compared with all of silver.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_platform.parquet import identifier
from reliability_platform.strict_yaml import StrictYaml

ADDS_UP = "adds_up"
KEYS = ("of", "value", "times", "with")


@dataclass(frozen=True)
class DeclaredMeasure:
    """One measure of a mart, and what it must add up to."""

    mart: str
    name: str
    source: str
    value: str
    times: str | None = None
    joins: tuple[tuple[str, str], ...] = ()
    """Model → the condition on which it is joined."""
    is_own: bool = False
    """Whether the mart is of an own dbt project, which says by which of its columns it has days, if any."""

    @property
    def column(self) -> str:
        """Its name in SQL: an own dbt project calls columns as it likes."""
        return identifier(self.name) if self.is_own else self.name

    @property
    def of_gold(self) -> str:
        """What the mart says of an event date, in SQL: a share adds up to nothing, so it is multiplied by its base."""
        return f"sum({self.column})" if self.times is None else f"sum(round({self.column} * {self.times}))"

    @property
    def gold_day(self) -> str:
        """The day of a row of the mart, in a template of dbt: which column has it, its configuration says."""
        return f"{{{{ own_day('{self.mart}') }}}} as event_date" if self.is_own else "event_date"


@dataclass(frozen=True)
class Comparison:
    """The measures of a mart that are computed of the same rows of silver."""

    mart: str
    source: str
    joins: tuple[tuple[str, str], ...]
    measures: tuple[DeclaredMeasure, ...]
    silver: str
    """Its name in the query."""
    is_own: bool = False
    """Whether the mart is of an own dbt project."""

    @property
    def names(self) -> str:
        """The measures as a list of dbt's templates."""
        return "[" + ", ".join(f"'{one.column}'" for one in self.measures) + "]"

    @property
    def silver_day(self) -> str:
        """The event date of a row of silver, in a template of dbt; none where the mart is compared as a whole."""
        day = "silver.event_date" if self.joins else "event_date"
        return f"{{{{ own_day('{self.mart}', '{day}') }}}} as event_date" if self.is_own else day


def declared_measures(project: Path, sources: Iterable[str], own_files: Iterable[Path] = ()) -> list[DeclaredMeasure]:
    """What the yml files of the models declare, and those of an own dbt project, in the order of the marts. Raises
    `UsageError` in one line.
    """
    known = frozenset(sources)
    ours = sorted((project / "dbt_project" / "models").rglob("*.y*ml"))
    found = [
        one
        for path, is_own in [*((path, False) for path in ours), *((path, True) for path in own_files)]
        if ADDS_UP in path.read_text(encoding="utf-8", errors="replace")
        for one in _of_file(path, known, is_own)
    ]
    return sorted(found, key=lambda one: one.mart)


def _of_file(path: Path, sources: frozenset[str], is_own: bool) -> Iterator[DeclaredMeasure]:
    file = StrictYaml.of_file(path)
    for number, model in enumerate((file.content.get("models") or ()) if isinstance(file.content, dict) else ()):
        for place, column in enumerate(model.get("columns") or ()):
            found = [one for one in _PLACES if isinstance(_under(column, one), dict) and ADDS_UP in _under(column, one)]
            if found and (said := _under(column, found[-1])[ADDS_UP]) is not None:
                location = ("models", number, "columns", place, *found[-1], ADDS_UP)
                called = f"{ADDS_UP} of {model['name']}.{column['name']}"
                if (wrong := _wrong(said, sources)) is not None:
                    raise file.problem_there(location, f"{called} {wrong}")
                joins = tuple((said.get("with") or {}).items())
                yield DeclaredMeasure(
                    model["name"], column["name"], said["of"], str(said["value"]), said.get("times"), joins, is_own
                )


_PLACES = (("meta",), ("config", "meta"))
"""Where a column may have its meta; what its configuration says comes before."""


def _under(column: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    found: Any = column
    for part in place:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _wrong(said: Any, sources: frozenset[str]) -> str | None:
    """What is wrong with what a measure adds up to, to be read after its name; None if nothing is."""
    if not isinstance(said, dict) or not {"of", "value"} <= set(said):
        return "must say of which source and with which value, as {of: orders, value: count(*)}."
    unknown = sorted(set(said) - set(KEYS))
    if unknown:
        return f"knows no {unknown[0]!r}: it has {', '.join(KEYS)}."
    if not isinstance(said["of"], str) or said["of"] not in sources:
        there = f"name one of {', '.join(sorted(sources))}" if sources else "the project has none"
        return f"is of {said['of']!r}, which is no source: {there}."
    if not isinstance(said.get("with") or {}, dict):
        return "joins models under `with`, each on a condition, as {dim_rates: silver.day = dim_rates.day}."
    return None


def comparisons(measures: Iterable[DeclaredMeasure]) -> list[Comparison]:
    """The measures by mart, source and joined models."""
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[DeclaredMeasure]] = {}
    for one in measures:
        groups.setdefault((one.mart, one.source, one.joins), []).append(one)
    found: list[Comparison] = []
    for (mart, source, joins), own in groups.items():
        before = sum((one.mart, one.source) == (mart, source) for one in found)
        name = f"{source}_for_{mart}" + (f"_{before + 1}" if before else "")
        found.append(Comparison(mart, source, joins, tuple(own), name, own[0].is_own))
    return found
