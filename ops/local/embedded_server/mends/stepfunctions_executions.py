"""Executions of the state machines that run a job: what moto starts and never carries out.

StartExecution runs the task that the state `ecs:runTask.sync` describes, in moto's ECS, as the role of the
state machine, and the execution stays RUNNING. Whoever runs the containers says how it ended as the agent
of ECS does on AWS, by SubmitTaskStateChange. Then the execution succeeds, or fails, or runs the task again,
at once, if its retriers say so. If the state machine looks for other executions, one that finds an older
one running is done at once. No other state machine is carried out.

moto's tasks go on by themselves whenever somebody looks at them; here only that change ends one. And moto
adds up the memory of the containers, which on Fargate only the task need have.
Sources: Amazon ECS API Reference, "SubmitTaskStateChange"; Step Functions Developer Guide, "Run Amazon ECS or
Fargate tasks with Step Functions" and "Handling errors in Step Functions workflows".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Task, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.stepfunctions.models import Execution, StateMachine, StepFunctionBackend, stepfunctions_backends

from ops.local.embedded_server.authorization.calls import calls
from ops.local.embedded_server.authorization.inventory import MotoInventory
from ops.local.embedded_server.authorization.requests import Request
from ops.local.embedded_server.mends.stepfunctions_definitions import RUN_TASK
from ops.local.embedded_server.patching import patch

_LIST_RUNS: Final = "arn:aws:states:::aws-sdk:sfn:listExecutions"
_TIMED_OUT: Final = "JobTimedOut"

_start = StateMachine.start_execution
_stop = StateMachine.stop_execution
_NO_INSTANCE: Final = {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}
"""What a task takes of an EC2 instance, of which there are none here."""


def mend() -> None:
    """Mends moto's executions and tasks."""
    patch(StateMachine, start_execution, stop_execution)
    patch(EC2ContainerServiceResponse, submit_task_state_change)
    patch(Task, advance=lambda _: None)
    patch(
        EC2ContainerServiceBackend,
        _calculate_task_resource_requirements=staticmethod(lambda _: _NO_INSTANCE),
    )
    # moto's tasks read it of their network interface, which has it only in a VPC with DNS host names.
    patch(NetworkInterface, private_dns_name=None)


def start_execution(machine: StateMachine, *arguments: Any, **named: Any) -> Execution:
    """Starts an execution, and its task."""
    running = [each for each in machine.executions if each.status == "RUNNING"]
    execution = _start(machine, *arguments, **named)
    if execution in running:
        return execution
    states: Mapping[str, Any] = json.loads(machine.definition)["States"]
    if running and any(state.get("Resource") == _LIST_RUNS for state in states.values()):
        _end(execution, "SUCCEEDED", output={"skipped": "The previous run is not done."})
    elif _run_state(machine):
        _run(machine, execution)
    return execution


def stop_execution(machine: StateMachine, execution_arn: str) -> Execution:
    """Stops an execution, and its task with it."""
    execution = _stop(machine, execution_arn)
    for task in _tasks(execution):
        _stopped(task, "The execution was stopped")
    return execution


def submit_task_state_change(response: EC2ContainerServiceResponse) -> ActionResult:
    """ECS's SubmitTaskStateChange: a task has ended, with the exit codes of its containers."""
    arn, status = str(response._get_param("task")), response._get_param("status")
    task = _task(response.ecs_backend, arn)
    if task is None or status != "STOPPED":
        raise InvalidParameterException(f"There is no task {arn} that could be {status}.")
    if task.last_status != "STOPPED":
        _stopped(task, response._get_param("reason") or "Essential container in task exited")
        codes = {
            each["containerName"]: each.get("exitCode", 1) for each in response._get_param("containers", [])
        }
        for container in task.containers:
            container.last_status = "STOPPED"
            container.exitCode = codes.get(container.name, 1)
        _follow(task)
    return ActionResult({"acknowledgment": "ACCEPT"})


def _stopped(task: Task, reason: str) -> None:
    """Stops a task, whose network interface goes with it."""
    if task.last_status == "STOPPED":
        return
    task.last_status = task.desired_status = "STOPPED"
    task.stopped_reason = reason
    ec2 = ec2_backends[task._account_id][task.region_name]
    for attachment in task.attachments:
        details: Any = attachment["details"]
        for detail in details:
            if detail["name"] == "networkInterfaceId":
                ec2.delete_network_interface(detail["value"])


def _follow(task: Task) -> None:
    """Goes on with the execution that a task belongs to, if any."""
    for machine in _machines(task):
        for execution in machine.executions:
            if execution.name == task.group and execution.status == "RUNNING":
                _decide(machine, execution, task)


def _decide(machine: StateMachine, execution: Execution, task: Task) -> None:
    state = _run_state(machine) or {}
    timeout = state.get("TimeoutSeconds")
    description = _description(task)
    if timeout and (utcnow() - vars(task)["began"]).total_seconds() >= timeout:
        cause = f"The job took more than {timeout} s"
        _end(execution, "FAILED", error=_TIMED_OUT, cause=cause)
    elif all(container.exitCode == 0 for container in task.containers):
        _end(execution, "SUCCEEDED", output=description)
    elif len([*_tasks(execution)]) <= _retries(state):
        _run(machine, execution)
    else:
        _end(execution, "FAILED", error="States.TaskFailed", cause=json.dumps(description))


def _run(machine: StateMachine, execution: Execution) -> None:
    """Runs the task of an execution, as the role of its state machine."""
    state = _run_state(machine) or {}
    wanted = {**_lowered(state["Arguments"]), "group": execution.name, "startedBy": "AWS Step Functions"}
    if refused := _refusal(machine, execution, wanted):
        cause = f"User: {machine.roleArn} is not authorized to perform: {refused}"
        _end(execution, "FAILED", error="ECS.AccessDeniedException", cause=cause)
        return
    backend = ecs_backends[execution.account_id][execution.region_name]
    try:
        (task,) = backend.run_task(
            cluster_str=wanted["cluster"],
            task_definition_str=wanted["taskDefinition"],
            count=1,
            overrides=None,
            started_by=wanted["startedBy"],
            tags=None,
            launch_type=None,
            networking_configuration=wanted["networkConfiguration"],
            group=execution.name,
            platform_version=wanted.get("platformVersion"),
            capacity_provider_strategy=wanted["capacityProviderStrategy"],
        )
    except (JsonRESTError, ServiceException) as error:
        _end(execution, "FAILED", error="ECS.InvalidParameterException", cause=str(error))
        return
    vars(task)["began"] = utcnow()


def _refusal(machine: StateMachine, execution: Execution, wanted: Mapping[str, Any]) -> str:
    """Returns the action of a RunTask that the role of a state machine may not do, or nothing."""
    inventory = MotoInventory()
    role = inventory.role_of(machine.roleArn)
    backend = ecs_backends[execution.account_id][execution.region_name]
    definition = backend.describe_task_definition(wanted["taskDefinition"])
    # moto's has no attribute for a role that it was not given.
    roles = {
        "taskRoleArn": vars(definition).get("task_role_arn"),
        "executionRoleArn": vars(definition).get("execution_role_arn"),
    }
    asked = Request("", execution.region_name, "ecs", "RunTask", {**wanted, **roles}, "json")
    for call in calls(asked, execution.account_id, inventory):
        if not role.allows(call):
            return call.action
    return ""


def _end(
    execution: Execution,
    status: str,
    *,
    output: object = None,
    error: str | None = None,
    cause: str | None = None,
) -> None:
    execution.status = status
    execution.stop_date = utcnow()
    execution.output = json.dumps(output) if output else None
    execution.error, execution.cause = error, cause


def _run_state(machine: StateMachine) -> Mapping[str, Any] | None:
    states: Mapping[str, Any] = json.loads(machine.definition)["States"]
    return next((state for state in states.values() if state.get("Resource") == RUN_TASK), None)


def _retries(state: Mapping[str, Any]) -> int:
    """Returns how often a state is repeated whose task has failed."""
    return sum(
        each.get("MaxAttempts", 3)
        for each in state.get("Retry", ())
        if {"States.TaskFailed", "States.ALL"} & {*each["ErrorEquals"]}
    )


def _description(task: Task) -> Mapping[str, Any]:
    """Returns what Step Functions tells of a task, by names that begin with a capital letter."""
    return {
        "TaskArn": task.task_arn,
        "ClusterArn": task.cluster_arn,
        "TaskDefinitionArn": task.task_definition_arn,
        "Group": task.group,
        "LastStatus": task.last_status,
        "StoppedReason": task.stopped_reason,
        "Containers": [
            {"Name": each.name, "ExitCode": each.exitCode, "LastStatus": each.last_status}
            for each in task.containers
        ],
    }


def _lowered(value: Any) -> Any:
    """Returns arguments as ECS's API names them; Step Functions begins each name with a capital letter."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _lowered(each) for name, each in value.items()}
    return [_lowered(each) for each in value] if isinstance(value, list) else value


def _machines(task: Task) -> Iterator[StateMachine]:
    backend: StepFunctionBackend = stepfunctions_backends[task._account_id][task.region_name]
    yield from backend.state_machines


def _tasks(execution: Execution) -> Iterator[Task]:
    backend = ecs_backends[execution.account_id][execution.region_name]
    for tasks in backend.tasks.values():
        yield from (task for task in tasks.values() if task.group == execution.name)


def _task(backend: EC2ContainerServiceBackend, arn: str) -> Task | None:
    return next((tasks[arn] for tasks in backend.tasks.values() if arn in tasks), None)
