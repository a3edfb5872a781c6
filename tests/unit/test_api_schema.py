"""The whole OpenAPI document, asked with what it allows and with what it does not: no request is answered with anything
that the document does not say, and none makes the server fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from hypothesis.strategies import just
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from reliability_platform.clock import utc_now
from reliability_platform.service.access.roles import Role
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.app import create_app
from reliability_platform.service.launching import worker
from tests.ground import Platform
from tests.unit.asked_of import lived_with_troubles

RULES_BESIDE_THE_SCHEMA = {"GET /v1/sla-status"} | {
    f"POST /v1/{path}"
    for path in (
        "hold",
        "release",
        "incidents",
        "run-pipeline",
        "run-backfill",
        "simulate-failure",
        "quarantine/replay",
        "quarantine/discard",
        "pause",
        "resume",
    )
}
"""Landing days must be over and in order, one of several fields must be there, and a name must be of its kind: JSON Schema
has no words for the first, and the others are said in the description."""
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "derandomize": True}


@pytest.fixture
def api(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, dict[str, str]]:
    """Of the API of a home that has lived; long work is kept and not begun."""
    monkeypatch.setattr(worker, "start", lambda *_: None)
    made = lived_with_troubles(lived, tmp_path / "home")
    patient = made.settings.model_copy(update={"api_requests_per_minute": 1_000_000})
    app = create_app(patient, tokens_needed=False, at_the_machine="ada", faults=("null_spike",), hosts=["testserver"])
    headers = {"Authorization": f"Bearer {ApiTokens(made.engine).make('test', Role.ADMIN, 'test', utc_now())}"}
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app), headers


def besides(label: str) -> list[Any]:
    """The checks that an operation does not stand, for its rules are not all in the schema."""
    return [positive_data_acceptance] if label in RULES_BESIDE_THE_SCHEMA else []


def ask(schema: Any, headers: dict[str, str], examples: int) -> list[str]:
    """Every operation, with so many requests of each kind; what was wrong."""
    wrong = []
    for found in schema.get_all_operations():
        operation = found.ok()
        beside = besides(operation.label)
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode), beside=just(beside))
            @settings(max_examples=examples, **QUIET)
            def each(case: Any, beside: list[Any]) -> None:
                assume(not any(value in ([], {}) for value in (case.query or {}).values()))  # nothing of it is sent
                case.call_and_validate(headers=headers, excluded_checks=beside)

            try:
                each()
            except Unsatisfiable:
                assert mode.is_negative, "what has no parameter cannot be asked wrongly"
            except BaseExceptionGroup as error:
                wrong.append(f"{operation.label}, {mode.value}: {error}")
    return wrong


@pytest.mark.exhaustive  # 8 s; each route has tests of its own
def test_some_requests_of_each_operation_are_answered_as_the_document_says(api: tuple[Any, dict[str, str]]) -> None:
    assert ask(*api, 1) == []


@pytest.mark.exhaustive
def test_many_requests_of_each_operation_are_answered_as_the_document_says(api: tuple[Any, dict[str, str]]) -> None:
    assert ask(*api, 60) == []


@pytest.mark.exhaustive
def test_requests_that_follow_from_each_other_are_answered_as_the_document_says(
    api: tuple[Any, dict[str, str]],
) -> None:
    schema, headers = api

    class Following(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            """With the token."""
            return {**super().get_call_kwargs(case), "headers": headers}

        def validate_response(self, response: Any, case: Any, **how: Any) -> None:
            """As each operation alone."""
            case.validate_response(response, excluded_checks=besides(case.operation.label), transport_kwargs=how)

    run_state_machine_as_test(Following, settings=settings(max_examples=40, stateful_step_count=8, **QUIET))
