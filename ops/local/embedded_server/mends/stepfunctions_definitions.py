"""State machines: definitions that Step Functions refuses, and actions of the provider that moto lacks.

Terraform asks ValidateStateMachineDefinition with each plan, and ListStateMachineVersions with each look.
moto takes any text for a definition and any role. What is checked here is the part of Amazon States Language
that a mistake in a generated definition would break: states that are missing, unreachable or without an end,
types, and fields of the other query language. JSONata itself is not read.
Sources: Step Functions API Reference, "ValidateStateMachineDefinition", "CreateStateMachine" and
"ListStateMachineVersions"; Step Functions Developer Guide, "State machine structure" and "Workflow states".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.responses import StepFunctionResponse

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.inventory import MotoInventory
from ops.local.embedded_server.authorization.services import trusts
from ops.local.embedded_server.patching import patch

_TYPES: Final = frozenset({"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"})
RUN_TASK: Final = "arn:aws:states:::ecs:runTask.sync"
_TASK_EVENTS: Final = "StepFunctionsGetEventsForECSTaskRule"
_EVENTS: Final = ("events:DescribeRule", "events:PutRule", "events:PutTargets")
"""How Step Functions hears of tasks. Source: Step Functions Developer Guide, "Run Amazon ECS or Fargate
tasks with Step Functions", IAM policies."""
_ENDING: Final = frozenset({"Succeed", "Fail"})
_JSONPATH: Final = ("InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector")
_JSONATA: Final = ("Arguments", "Assign", "Output", "Items")

_create = StepFunctionBackend.create_state_machine
_update = StepFunctionBackend.update_state_machine

Problem = tuple[str, str, str]
"""Code, message, and the JSON pointer of the place."""


class _InvalidDefinitionError(AWSError):
    TYPE = "InvalidDefinition"
    STATUS = 400


class _AccessDeniedError(AWSError):
    TYPE = "AccessDeniedException"
    STATUS = 400


def mend() -> None:
    """Mends moto's state machines, and adds the missing actions."""
    patch(StepFunctionBackend, create_state_machine, update_state_machine)
    patch(StepFunctionResponse, validate_state_machine_definition, list_state_machine_versions)


def validate_state_machine_definition(response: StepFunctionResponse) -> ActionResult:
    """Step Functions' ValidateStateMachineDefinition."""
    found = [
        {"severity": "ERROR", "code": code, "message": message, "location": location}
        for code, message, location in _problems(str(response._get_param("definition")))
    ]
    return ActionResult({"result": "FAIL" if found else "OK", "diagnostics": found, "truncated": False})


def list_state_machine_versions(response: StepFunctionResponse) -> ActionResult:
    """Step Functions' ListStateMachineVersions, the newest first."""
    machine = response.stepfunction_backend.describe_state_machine(response._get_param("stateMachineArn"))
    versions = sorted(machine.versions.items(), reverse=True)
    return ActionResult(
        {
            "stateMachineVersions": [
                {"stateMachineVersionArn": version.arn, "creationDate": version.creation_date}
                for _, version in versions
            ]
        }
    )


def create_state_machine(
    backend: StepFunctionBackend,
    name: str,
    definition: str,
    roleArn: str,  # noqa: N803  # moto's name
    **named: Any,
) -> StateMachine:
    """Creates a state machine whose definition and role AWS takes."""
    _check(backend, definition, roleArn)
    return _create(backend, name, definition, roleArn, **named)


def update_state_machine(
    backend: StepFunctionBackend,
    arn: str,
    definition: str | None = None,
    role_arn: str | None = None,
    **named: Any,
) -> StateMachine:
    """Changes a state machine to a definition and a role that AWS takes."""
    current = backend.describe_state_machine(arn)
    _check(backend, definition or current.definition, role_arn or current.roleArn)
    return _update(backend, arn, definition, role_arn, **named)


def _check(backend: StepFunctionBackend, definition: str, role_arn: str) -> None:
    if found := list(_problems(definition)):
        words = ", ".join(f"{code}: {message} at {location}" for code, message, location in found)
        raise _InvalidDefinitionError(f"Invalid State Machine Definition: '{words}'")
    if not trusts(role_arn, "states.amazonaws.com"):
        raise _AccessDeniedError(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized "
            "to assume the provided role."
        )
    rule = f"arn:aws:events:{backend.region_name}:{backend.account_id}:rule/{_TASK_EVENTS}"
    role = MotoInventory().role_of(role_arn)
    if RUN_TASK in definition and not all(role.allows(Call(action, (rule,))) for action in _EVENTS):
        raise _AccessDeniedError(f"'{role_arn}' is not authorized to create managed-rule.")


def _problems(text: str) -> Iterator[Problem]:
    """Yields what is wrong with a definition."""
    try:
        machine = json.loads(text)
    except ValueError:
        machine = None
    if not isinstance(machine, dict):
        yield "INVALID_JSON_DESCRIPTION", "Definition is not a valid JSON object", "/"
        return
    yield from _of_machine(machine, "", machine.get("QueryLanguage", "JSONPath"))


def _of_machine(machine: Mapping[str, Any], place: str, language: str) -> Iterator[Problem]:
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield "SCHEMA_VALIDATION_FAILED", "Field 'States' is required", place or "/"
        return
    reached = {machine.get("StartAt")}
    if machine.get("StartAt") not in states:
        yield "MISSING_TRANSITION_TARGET", "StartAt names no state", f"{place}/StartAt"
    for name, state in states.items():
        where = f"{place}/States/{name}"
        followers = set(_followers(state))
        reached |= followers
        yield from (
            ("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {each}", where)
            for each in sorted(followers - states.keys())
        )
        yield from _of_state(state, where, state.get("QueryLanguage", language))
    yield from (
        ("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', f"{place}/States/{name}")
        for name in states
        if name not in reached
    )


def _of_state(state: Mapping[str, Any], where: str, language: str) -> Iterator[Problem]:
    kind = state.get("Type")
    if kind not in _TYPES:
        yield "SCHEMA_VALIDATION_FAILED", f"Unknown state type: {kind}", f"{where}/Type"
        return
    if kind == "Task" and not state.get("Resource"):
        yield "SCHEMA_VALIDATION_FAILED", "Field 'Resource' is required", where
    if kind not in _ENDING and kind != "Choice" and not state.get("Next") and not state.get("End"):
        yield "SCHEMA_VALIDATION_FAILED", "One of 'Next' and 'End' is required", where
    others = _JSONPATH if language == "JSONata" else _JSONATA
    yield from (
        ("SCHEMA_VALIDATION_FAILED", f"Field '{each}' is not supported", f"{where}/{each}")
        for each in others
        if each in state
    )
    if isinstance(inner := state.get("ItemProcessor"), dict):
        yield from _of_machine(inner, f"{where}/ItemProcessor", language)


def _followers(state: Mapping[str, Any]) -> Iterator[str]:
    for field in ("Next", "Default"):
        if field in state:
            yield state[field]
    yield from (each["Next"] for field in ("Catch", "Choices") for each in state.get(field, ()))
