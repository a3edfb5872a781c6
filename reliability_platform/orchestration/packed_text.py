"""Dagster's events, packed in its SQLite file: two thirds of what a landing day adds to a home were their texts, nine tenths of
which each says like the one before.

Each text is deflated by itself, against words that all of them share: 1,300 bytes become 170. What was stored before, and
what a server stores, is text as it is.
"""

import zlib
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

_STEP = (
    '"logging_tags": {"job_name": "pipeline", "op_name": "dbt", "resource_fn_name": "None", "resource_name": "None", '
    '"run_id": "'
)
_HANDLES = (
    '"pipeline_name": "pipeline", "solid_handle": {"__class__": "SolidHandle", "name": "dbt", "parent": null}, '
    '"step_handle": {"__class__": "StepHandle", "key": "dbt", "solid_handle": {"__class__": "SolidHandle", "name": "dbt", '
    '"parent": null}}, "step_key": "dbt", "step_kind_value": "COMPUTE"}, "error_info": null, "level": 10, "message": "", '
    '"pipeline_name": "pipeline", "run_id": "'
)
_WORDS = "".join(
    (
        '"partitions_subset": {"__class__": "TimeWindowPartitionsSubset", "included_time_windows": [{"__class__": "TimeWindow", '
        '"end": {"__class__": "TimestampWithTimezone", "timestamp": 1770508800.0, "timezone": "UTC"}, "start": {"__class__": '
        '"TimestampWithTimezone", "timestamp": 1770422400.0, "timezone": "UTC"}}], "num_partitions": 1, "partitions_def": '
        '{"__class__": "TimeWindowPartitionsDefinition", "cron_schedule": "0 0 * * *", "end": null, "end_offset": 0, '
        '"exclusions": null, "fmt": "%Y-%m-%d", "start": {"__class__": "TimestampWithTimezone", "timestamp": 1767225600.0, '
        '"timezone": "UTC"}, "timezone": "UTC"}}}, "event_type_value": "ASSET_CHECK_EVALUATION_PLANNED", "logging_tags": {}, '
        '"message": "pipeline intends to execute asset check  on asset [\\"',
        '"event_specific_data": {"__class__": "AssetMaterializationPlannedData", "asset_key": {"__class__": "AssetKey", '
        '"path": [""]}, "partition": "2026-02-07", "partitions_subset": null}, "event_type_value": '
        '"ASSET_MATERIALIZATION_PLANNED", "logging_tags": {}, "message": "pipeline intends to materialize asset [\\"',
        '"event_specific_data": {"__class__": "StepSuccessData", "duration_ms": 2758.73}, "event_type_value": '
        '"STEP_SUCCESS", "message": "Finished execution of step \\"", null, "event_type_value": "STEP_START", '
        '"Started execution of step \\"',
        '{"__class__": "DagsterEvent", "event_specific_data": {"__class__": "StepMaterializationData", "asset_lineage": [], '
        '"materialization": {"__class__": "AssetMaterialization", "asset_key": {"__class__": "AssetKey", "path": ["audit", '
        '"results"]}, "description": null, "metadata_entries": [{"__class__": "EventMetadataEntry", "description": null, '
        '"entry_data": {"__class__": "MarkdownMetadataEntryData", "md_str": "All passed."}, "label": "partition": '
        '"2026-02-06", "tags": {"dagster/code_version": "", "dagster/data_version": "", "dagster/input_data_version/'
        'agg_daily_fulfilment": "dagster/input_data_version/int_orders__deduplicated": "dagster/input_event_pointer/'
        'int_shipments__deduplicated": "dagster/partition/landing_date": ""}}}, "event_type_value": "ASSET_MATERIALIZATION", '
        '"message": "Materialized value ',
        '"event_specific_data": {"__class__": "StepOutputData", "metadata_entries": [{"__class__": "EventMetadataEntry", '
        '"description": null, "entry_data": {"__class__": "IntMetadataEntryData", "value": 0}, "label": ""}, {"__class__": '
        '"EventMetadataEntry", "description": null, "entry_data": {"__class__": "FloatMetadataEntryData", "value": 0.0}, '
        '"label": ""}], "step_output_handle": {"__class__": "StepOutputHandle", "mapping_key": null, "output_name": "result", '
        '"step_key": ""}, "type_check_data": {"__class__": "TypeCheckData", "description": null, "label": "result", '
        '"metadata_entries": [], "success": true}, "version": null}, "event_type_value": "STEP_OUTPUT", ',
        _STEP,
        '", "step_key": "dbt"}, "message": "Yielded output \\"result\\" of type \\"Any\\". (Type check passed).", "pid": 24976, ',
        _HANDLES,
        '{"__class__": "EventLogEntry", "dagster_event": {"__class__": "DagsterEvent", "event_specific_data": {"__class__": '
        '"AssetCheckEvaluation", "asset_key": {"__class__": "AssetKey", "path": ["stg_orders"]}, "blocking": true, '
        '"check_name": "stg_orders__", "description": "", "metadata": {"status": {"__class__": "TextMetadataEntryData", '
        '"text": "passed"}, "threshold": {"__class__": "TextMetadataEntryData", "text": ""}, "value": {"__class__": '
        '"FloatMetadataEntryData", "value": 0.0}}, "partition": "2026-01-12", "severity": {"__enum__": '
        '"AssetCheckSeverity.ERROR"}, "severity": {"__enum__": "AssetCheckSeverity.WARN"}, "success": true, '
        '"target_materialization_data": null}, "event_type_value": "ASSET_CHECK_EVALUATION", "logging_tags": {}, "message": '
        '"", "pid": null, "pipeline_name": "audit", "solid_handle": null, "step_handle": null, "step_key": null, '
        '"step_kind_value": null}, "error_info": null, "level": 20, "message": "", "pipeline_name": "audit", "run_id": "", '
        '"step_key": null, "timestamp": 1796074194.985914, "user_message": ""}',
    )
).encode()
"""What is packed against these words is unpacked against no others: a change would need a second list and a mark."""


def pack(text: str) -> bytes:
    """A text, packed."""
    packing = zlib.compressobj(zdict=_WORDS)
    return packing.compress(text.encode()) + packing.flush()


def unpack(packed: bytes) -> str:
    """The text that was packed. Raises `zlib.error` if it is none."""
    unpacking = zlib.decompressobj(zdict=_WORDS)
    return (unpacking.decompress(packed) + unpacking.flush()).decode()


class PackedText(TypeDecorator[str]):
    """A column of texts that are packed in SQLite."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """What is stored."""
        return pack(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """What was stored."""
        return unpack(value) if isinstance(value, bytes) else value
