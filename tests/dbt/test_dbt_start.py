"""What is kept of dbt's start is what dbt makes itself."""

import importlib.util
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.contracts.project import Configuration, Project, ProjectFlags
from dbt_common import behavior_flags
from dbt_common.dataclass_schema import dbtClassMixin, dbtMashConfig
from mashumaro.config import BaseConfig
from mashumaro.exceptions import MissingField
from mashumaro.jsonschema import build_json_schema

from reliability_platform.warehouse import dbt_manifest, dbt_start
from reliability_platform.warehouse.dbt_manifest import ensure_manifest


def in_order(schema: object) -> object:
    """A schema with its alternatives in one order: Python keeps one `Union` for all orders of its parts, that which was written first
    in the process.
    """
    if isinstance(schema, dict):
        return {name: in_order(part) for name, part in schema.items()}
    return sorted((in_order(part) for part in schema), key=repr) if isinstance(schema, list) else schema


@pytest.mark.parametrize("of", [Configuration, DuckDBCredentials, Project, ProjectFlags])
def test_a_schema_that_is_kept_is_the_one_that_dbt_makes(
    of: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another schema a wrong profile would pass, or a right one fail."""
    dbt_start.spare_start()
    monkeypatch.setattr(dbt_start, "schemas_folder", lambda: tmp_path)
    made: list[type] = []

    def make(one: type) -> object:
        made.append(one)
        return build_json_schema(one).to_dict()

    own = make(of)
    assert [dbt_start._kept(of, make), dbt_start._kept(of, make)] == [own, own]
    assert len(made) == 2, "the second one was read"
    [file] = tmp_path.glob("*.json")
    file.write_text("{")  # of a disk that was full
    assert dbt_start._kept(of, make) == own
    of_this_process = of.json_schema()  # type: ignore[attr-defined]
    assert in_order(of_this_process) == in_order(own)


def test_a_flag_comes_from_the_module_in_which_dbt_looks_for_it() -> None:
    spec = importlib.util.find_spec("dbt_common.behavior_flags")
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    dbt_start.spare_start()
    flag = {"name": "one", "default": True, "docs_url": "here"}
    ours, own = (one.BehaviorFlagRendered(flag, {}) for one in (behavior_flags, theirs))
    assert theirs.BehaviorFlagRendered._default_source is not behavior_flags.BehaviorFlagRendered._default_source
    assert ours._behavior_change_event.flag_source == own._behavior_change_event.flag_source == __name__


def test_conversions_are_made_when_one_is_asked_for_and_convert_as_those_of_mashumaro() -> None:
    dbt_start.compile_when_used()

    @dataclass
    class Part(dbtClassMixin):
        size: int

    @dataclass
    class Whole(Part):
        parts: list[Part] = field(default_factory=list)

        @classmethod
        def read(cls, given: dict[str, Any]) -> Part:
            return super().from_dict(given)

    named = {"from_dict", "to_dict", "from_msgpack", "to_msgpack"}
    assert {type(vars(one)[name]) for one in (Part, Whole) for name in named} == {dbt_start._MadeWhenUsed}
    given = {"size": 1, "parts": [{"size": 2}, {"size": 3}]}
    whole = Whole(1, [Part(2), Part(3)])
    assert Whole.read({"size": 1}) == Whole(1), "of the class that was asked, by the conversion of the one above"
    assert Whole.from_dict(given) == whole
    assert whole.to_dict() == given
    assert Whole.from_msgpack(whole.to_msgpack()) == whole
    with pytest.raises(MissingField):
        Part.from_dict({})
    assert dbt_start._MadeWhenUsed not in {type(vars(Whole)[name]) for name in named}


def test_all_classes_get_their_conversions_as_dbt_wants_it_for_its_own() -> None:
    """`lazy_compilation` is what dbt sets for most of its classes; where mashumaro has no such option, it does nothing."""
    dbt_start.compile_when_used()
    assert "lazy_compilation" in vars(BaseConfig)
    assert BaseConfig.lazy_compilation
    assert dbtMashConfig.lazy_compilation


def test_a_project_is_read_from_dbts_own_format_once() -> None:
    manifest = ensure_manifest()
    own, kept = dbt_manifest._read_project(manifest), dbt_manifest._project(manifest)
    assert kept.flat_graph == own.flat_graph
    assert kept.to_dict() == own.to_dict()
    place = manifest.with_name(f"project-{dbt_start.made_with()}.pickle")
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    assert dbt_manifest._project(manifest).flat_graph == own.flat_graph
    assert len(place.read_bytes()) > len(whole) // 2
    place.write_bytes(pickle.dumps({"nodes": {}}))
    place.chmod(0o666)  # anybody may have written it
    assert dbt_manifest._project(manifest).flat_graph == own.flat_graph
