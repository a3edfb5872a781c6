"""A dbt project as its mutants see it: inputs, models with their compiled queries, tests, and what consumers read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from reliability_platform.mutation.sql_text import Query

ASKS = "it asks the data while it is compiled"
"""Why dbt has to build a model whose compiled query runs by itself, too, with the columns of the clean data."""
VIEW, INCREMENTAL, SNAPSHOT = "view", "incremental", "snapshot"
DBT = "dbt"


@dataclass(frozen=True)
class ProjectInput:
    """A table that comes from outside: a seed, a table of a source, or files."""

    key: str
    """dbt's unique id; of files, the call that reads them."""
    name: str
    kind: str
    """`seed`, `source` or `files`; `model` for a model that tests are proposed for in the place of files."""
    relation: str
    """As compiled queries name it."""
    yml: str = ""
    """The file that describes it, relative to the project; empty where none does."""
    is_own: bool = False
    """Whether the project itself describes it, or could: not files, and nothing of a package."""
    files: tuple[str, ...] = ()
    """The files that it is made of, relative to the project."""


@dataclass(frozen=True)
class Model:
    """A model that is built from its compiled query."""

    key: str
    name: str
    relation: str
    database: str
    schema: str
    identifier: str
    materialized: str
    query: Query
    owner: str
    has_contract: bool = False
    files: tuple[str, ...] = ()
    """Its SQL and its yml, relative to the project."""
    replay: tuple[Query, ...] = ()
    """What dbt executes to bring its table of before up to date; empty where the table is built anew from `query`."""

    through_dbt: str = ""
    """Why it cannot be built from `query`, which names what it reads; empty where it can."""

    @property
    def package(self) -> str:
        """The project or package that it is of."""
        return self.key.split(".")[1]

    @property
    def grows(self) -> bool:
        """Whether dbt adds to its table rather than build it anew."""
        return self.materialized in (INCREMENTAL, SNAPSHOT)


@dataclass(frozen=True)
class DataTest:
    """A data test with what dbt decides its result by."""

    key: str
    name: str
    query: Query
    severity: str
    """`ERROR` or `WARN`."""
    fail_calc: str
    warn_if: str
    error_if: str
    limit: int | None
    column: str
    path: str
    tool: str = DBT
    """Whose test it is."""

    @property
    def sql(self) -> Query:
        """A query of one row: failures, whether it warns, whether it fails."""
        before = f"select {self.fail_calc}, {self.fail_calc} {self.warn_if}, {self.fail_calc} {self.error_if} from ("
        after = f"\n{'' if self.limit is None else f'limit {self.limit}'}) as dbt_internal_test"
        first, *rest = self.query.parts
        parts = [before + first, *rest]
        return Query((*parts[:-1], parts[-1] + after))


@dataclass(frozen=True)
class Consumer:
    """Somebody who reads a model: an exposure, or everybody where none is declared."""

    name: str
    models: frozenset[str]
    """Keys."""


@dataclass(frozen=True)
class LeftOut:
    """Something of the project that is not judged, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Project:
    """All of it, in the order in which it is built."""

    name: str
    inputs: tuple[ProjectInput, ...]
    models: tuple[Model, ...]
    tests: tuple[DataTest, ...]
    consumers: tuple[Consumer, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    _below: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def downstream(self, relation: str) -> tuple[Model, ...]:
        """The models that are made from a relation, directly or through others, in the order in which they are built."""
        if relation not in self._below:
            touched = {relation}
            for one in self.models:
                if one.query.named & touched:
                    touched.add(one.relation)
            self._below[relation] = frozenset(touched - {relation})
        return tuple(one for one in self.models if one.relation in self._below[relation])

    @property
    def read_by_consumers(self) -> dict[str, list[str]]:
        """The relations that consumers read → the names of these."""
        found: dict[str, list[str]] = {}
        for one in self.models:
            names = [consumer.name for consumer in self.consumers if one.key in consumer.models]
            if names:
                found[one.relation] = names
        return found

    @cached_property
    def tests_of(self) -> Mapping[str, tuple[DataTest, ...]]:
        """The tests that read a relation."""
        found: dict[str, list[DataTest]] = {}
        for test in self.tests:
            for relation in test.query.named:
                found.setdefault(relation, []).append(test)
        return {relation: tuple(tests) for relation, tests in found.items()}

    def with_tests(self, tests: Iterable[DataTest], left_out: Iterable[LeftOut]) -> "Project":
        """The project with the tests of another tool."""
        return replace(self, tests=(*self.tests, *tests), left_out=(*self.left_out, *left_out), _below={})

    def first_of(self, models: Mapping[str, str]) -> dict[str, str]:
        """Of some models (keys → why) those that are not below another of them, without snapshots: dbt cannot build these anew."""
        below, first = set[str](), {}
        for one in self.models:
            if one.key in models or one.query.named & below:
                if not one.query.named & below and one.materialized != SNAPSHOT:
                    first[one.key] = models[one.key]
                below.add(one.relation)
        return first

    def through_dbt(self, models: Mapping[str, str]) -> "Project":
        """The project with some models (keys → why) built by dbt itself."""
        changed = (replace(one, through_dbt=models.get(one.key, one.through_dbt)) for one in self.models)
        return replace(self, models=tuple(changed), _below={})

    def without(self, models: Mapping[str, str], tests: Mapping[str, str]) -> "Project":
        """The project without some models and tests (keys → why)."""
        out = [LeftOut(one.name, models[one.key]) for one in self.models if one.key in models]
        out += [LeftOut(one.name, tests[one.key]) for one in self.tests if one.key in tests]
        return replace(
            self,
            models=tuple(one for one in self.models if one.key not in models),
            tests=tuple(one for one in self.tests if one.key not in tests),
            left_out=(*self.left_out, *out),
            _below={},
        )


def in_build_order(models: Iterable[Model]) -> tuple[Model, ...]:
    """Each model after all that it reads; as they were where two of them read each other."""
    by_relation = {one.relation: one for one in models}
    graph = {name: sorted(one.query.named & (by_relation.keys() - {name})) for name, one in by_relation.items()}
    try:
        return tuple(by_relation[name] for name in TopologicalSorter(graph).static_order())
    except CycleError:
        return tuple(by_relation.values())
