"""The data graph is the asset graph: whoever looks at Dagster and at an incident sees the same way of the data."""

from reliability_platform.lineage.graph import NodeKind, data_graph
from reliability_platform.orchestration.definitions import defs
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

BESIDE_THE_DATA = {"incident", "scorecard", "slo", "recovery/snapshot"}
"""Assets that tell about the platform; no data of a consumer pass through them."""
NO_ASSETS = {NodeKind.SOURCE, NodeKind.EXPOSURE}
"""What is outside the platform, before and after it."""


def test_every_asset_of_the_data_is_in_the_graph_with_the_same_edges() -> None:
    """An asset that the graph does not know would never be in a blast radius."""
    graph, assets = data_graph(ensure_manifest()), defs.resolve_asset_graph()
    keys = {key.to_user_string(): key for key in assets.get_all_asset_keys()}
    expected = {
        (parent.to_user_string(), name)
        for name, key in keys.items()
        if name not in BESIDE_THE_DATA
        for parent in assets.get(key).parent_keys
    }
    inside = {node for node in graph if graph.nodes[node]["kind"] not in NO_ASSETS}
    assert inside == set(keys) - BESIDE_THE_DATA
    assert {(one, other) for one, other in graph.edges if {one, other} <= inside} == expected
