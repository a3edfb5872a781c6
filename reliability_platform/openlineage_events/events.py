"""A run said in OpenLineage, with the classes and the serializer of the official client.

The client takes 0.3 s to import: whoever needs this module imports it when there is something to say.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
)
from openlineage.client.serde import Serde

from reliability_platform.openlineage_events.run import (
    Assertion,
    Dataset,
    Datasets,
    InputColumn,
    JobRun,
    JobState,
    Metrics,
)

PRODUCER = f"urn:reliability-platform:{version('reliability-platform')}"
"""Who says so: the URI in every event and facet."""

set_producer(PRODUCER)

TRANSFORMATIONS = {"direct": "DIRECT", "indirect": "INDIRECT"}


def run_event(
    state: JobState, run: JobRun, at: datetime, datasets: Datasets, error: str | None = None
) -> dict[str, Any]:
    """One event, ready for JSON. `error` says why a run failed, in words that may be shown to anybody."""
    facets = _run_facets(run)
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message=error, programmingLanguage="PYTHON")
    event = RunEvent(
        eventType=RunState(state.value),
        eventTime=at.isoformat(),
        run=Run(runId=run.run_id, facets=facets),
        job=Job(
            namespace=run.namespace,
            name=run.job,
            facets={
                "jobType": job_type_job.JobTypeJobFacet(
                    processingType="BATCH", integration=run.integration, jobType=run.job_type
                )
            },
        ),
        inputs=[_input(run.namespace, dataset) for dataset in datasets.inputs],
        outputs=[_output(run.namespace, dataset) for dataset in datasets.outputs],
    )
    return Serde.to_dict(event)


def _run_facets(run: JobRun) -> dict[str, RunFacet]:
    midnight = "T00:00:00Z"
    return {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run.parent_run_id),
            job=parent_run.Job(namespace=run.namespace, name=run.parent_job),
            root=_root(run),
        ),
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=run.first.isoformat() + midnight,
            nominalEndTime=(run.last + timedelta(days=1)).isoformat() + midnight,
        ),
    }


def _root(run: JobRun) -> parent_run.Root | None:
    """The backfill that all is part of, where it is part of one."""
    if run.backfill_run_id is None:
        return None
    return parent_run.Root(
        run=parent_run.RootRun(runId=run.backfill_run_id),
        job=parent_run.RootJob(namespace=run.namespace, name="backfill"),
    )


def _facets(namespace: str, dataset: Dataset) -> dict[str, DatasetFacet]:
    facets: dict[str, DatasetFacet] = {}
    if dataset.fields:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=one.name, type=one.type, description=one.description)
                for one in dataset.fields
            ]
        )
    if dataset.columns:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                name: column_lineage_dataset.Fields(inputFields=_input_fields(namespace, sources))
                for name, sources in dataset.columns.items()
            }
        )
    return facets


def _input_fields(namespace: str, sources: Iterable[InputColumn]) -> list[column_lineage_dataset.InputField]:
    return [
        column_lineage_dataset.InputField(
            namespace=namespace,
            name=source.dataset,
            field=source.column,
            transformations=[column_lineage_dataset.Transformation(type=TRANSFORMATIONS[source.kind])],
        )
        for source in sorted(sources, key=lambda one: (one.dataset, one.column, one.kind))
    ]


def _input(namespace: str, dataset: Dataset) -> InputDataset:
    facets: dict[str, InputDatasetFacet] = {}
    if dataset.metrics is not None:
        facets["dataQualityMetrics"] = _metrics(dataset.metrics)
    if dataset.assertions:
        facets["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
            assertions=[_assertion(one) for one in dataset.assertions]
        )
    return InputDataset(namespace=namespace, name=dataset.name, facets=_facets(namespace, dataset), inputFacets=facets)


def _metrics(metrics: Metrics) -> InputDatasetFacet:
    counted = data_quality_metrics_input_dataset.ColumnMetrics
    return data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
        rowCount=metrics.rows,
        fileCount=metrics.files,
        columnMetrics={name: counted(nullCount=nulls) for name, nulls in metrics.nulls.items()},
    )


def _assertion(one: Assertion) -> data_quality_assertions_dataset.Assertion:
    days: dict[str, Any] = {"landing_days": one.landing_days}
    if one.failed_on:
        days["failed_on"] = [day.isoformat() for day in one.failed_on]
    return data_quality_assertions_dataset.Assertion(
        assertion=one.check,
        name=one.check,
        success=one.success,
        column=one.column,
        severity=one.severity,
        expected=one.expected,
        actual=one.actual,
        params=days,
    )


def _output(namespace: str, dataset: Dataset) -> OutputDataset:
    facets: dict[str, OutputDatasetFacet] = {}
    if dataset.rows_written is not None:
        facets["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=dataset.rows_written, fileCount=dataset.files_written
        )
    return OutputDataset(
        namespace=namespace, name=dataset.name, facets=_facets(namespace, dataset), outputFacets=facets
    )
