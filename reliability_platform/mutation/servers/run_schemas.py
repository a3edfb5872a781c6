"""The schemas of one run: each schema that the project names has one of the run's own in its place."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "reliability_mutate_"
OF_A_RUN = re.compile(rf"{PREFIX}([0-9a-f]{{8}})_\w+")
COMMENT = "A copy of a run of `reliability mutate`, which drops it."
"""On each schema of a run: the name alone does not make it ours."""
BUILT = ("model", "seed", "snapshot", "test")


@dataclass
class RunSchemas:
    """Names, by those of the project."""

    run: str
    """Eight hexadecimal digits."""
    claim: Path
    """A file that this process has claimed for as long as it lives."""
    own: dict[str, str] = field(default_factory=dict)

    def of(self, schema: str) -> str:
        """The run's own in the place of a schema of the project."""
        return self.own.setdefault(schema, f"{PREFIX}{self.run}_{len(self.own) + 1}")

    def of_room(self, room: str) -> str:
        """That of the tables of one mutant."""
        return f"{PREFIX}{self.run}_{room}"

    def __contains__(self, schema: str) -> bool:
        """Whether a schema is one of the run's."""
        found = OF_A_RUN.fullmatch(schema)
        return found is not None and found.group(1) == self.run


@dataclass(frozen=True)
class SourceTable:
    """A table of a source: where it is, and where its copy is to be."""

    name: str
    original: str
    copy: str


def move(manifest: Any, adapter: Any, schemas: RunSchemas) -> list[SourceTable]:
    """Let each node of a parsed project be built in the run's schemas, and each source be read there.

    Returns the tables of sources that are to be copied: those that the project does not build itself.
    """

    def relation(node: Any) -> str:
        return str(adapter.Relation.create_from(adapter.config, node))

    built = [node for node in manifest.nodes.values() if str(node.resource_type) in BUILT]
    own = {relation(node) for node in built if str(node.resource_type) != "test"}
    originals = {key: relation(source) for key, source in manifest.sources.items()}
    for node in (*built, *manifest.sources.values()):
        node.schema = schemas.of(node.schema)
        if node.relation_name:
            node.relation_name = relation(node)
    manifest.build_flat_graph()
    found = {}
    for key, original in originals.items():
        source = manifest.sources[key]
        if original not in own and source.config.enabled:
            name = f"{source.source_name}.{source.name}"
            found[original] = SourceTable(name, original, source.relation_name)
    return sorted(found.values(), key=lambda one: one.name)
