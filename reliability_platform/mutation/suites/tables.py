"""Which table of a project another tool means by a name."""

import re
from collections.abc import Mapping

from reliability_platform.mutation.project import Project


def tables_of(project: Project) -> Mapping[str, str]:
    """Names in lower case → relations: of models, of sources and seeds. Of two with one name the model counts."""
    found: dict[str, str] = {}
    for model in project.models:
        for name in (model.identifier, model.name, f"{model.schema}.{model.identifier}"):
            found.setdefault(name.lower(), model.relation)
    for one in project.inputs:
        if one.kind != "files":
            identifiers = [] if "'" in one.relation else [one.relation.rpartition(".")[2].strip('"')]
            for name in (one.name, one.name.rpartition(".")[2], *identifiers):
                found.setdefault(name.lower(), one.relation)
    return found


def words_of(text: str) -> list[str]:
    """The names that can stand in a text, each once."""
    return list(dict.fromkeys(re.findall(r"\w+", text)))
