"""Runs tasks that end by themselves in place of ECS, since the embedded AWS runs no containers.

A task waits in the embedded AWS until somebody runs it and says how it ended, as the agent of ECS does on
AWS; so does the execution of a job's state machine. Nothing starts executions on a schedule here: `make
run-job` does.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ops.core.errors import OpsError
from ops.local import processes
from ops.local.app import variables_of
from ops.local.embedded import Embedded
from ops.local.runners import Program
from ops.local.tasks import Container, container_of
from stacks.naming import base
from stacks.settings import Environment, Project

RunTask = Callable[[Container, Mapping[str, str]], Program]
"""Returns the program of a task, by its container and all of its variables."""

_KILLED: Final = 137
"""The exit code of a container that is ended by SIGKILL. Source: Amazon ECS Developer Guide, "Stopped tasks
error messages"."""

_POLL: Final = 0.1


def process_name(environment: Environment, job: str) -> str:
    """Names the process of a job, and its log."""
    return f"job-{environment.name}-{job}"


def run_job(
    embedded: Embedded,
    project: Project,
    environment: Environment,
    job: str,
    execution: str,
    *,
    directory: Path,
    run: RunTask,
) -> None:
    """Runs the tasks of an execution, one after the other, until it is done.

    Its output goes to the job's log in `directory`. A task that takes too long is ended, and so is the
    execution at an interrupt. Raises OpsError if a task cannot be started.
    """
    region, account_id = environment.region, environment.account_id
    sfn = embedded.client("stepfunctions", region, account_id)
    ecs = embedded.client("ecs", region, account_id)
    cluster = base(project.name, environment.name)
    timeout = _timeout(sfn, execution)
    while sfn.describe_execution(executionArn=execution)["status"] == "RUNNING":
        task = _task(ecs, cluster, execution)
        try:
            run_task(
                embedded,
                environment,
                job,
                task,
                name=process_name(environment, job),
                directory=directory,
                run=run,
                timeout=timeout,
            )
        except BaseException:
            sfn.stop_execution(executionArn=execution)
            raise


def run_task(
    embedded: Embedded,
    environment: Environment,
    service: str,
    task: Mapping[str, Any],
    *,
    name: str,
    directory: Path,
    run: RunTask,
    timeout: float,
) -> None:
    """Runs a task of the embedded ECS as a process called `name`, and tells ECS how it ended.

    Its variables are those of the container that is named like the service. It is ended after `timeout`
    seconds. Raises OpsError if it cannot be started.
    """
    container = container_of(embedded, environment, task["taskDefinitionArn"], service)
    program = run(container, variables_of(embedded, container, environment.region))
    code = run_to_end(name, directory, program, timeout)
    embedded.client("ecs", environment.region, environment.account_id).submit_task_state_change(
        cluster=task["clusterArn"],
        task=task["taskArn"],
        status="STOPPED",
        containers=[
            {
                "containerName": service,
                "exitCode": _KILLED if code is None else code,
                "status": "STOPPED",
            }
        ],
    )


def run_to_end(name: str, directory: Path, program: Program, timeout: float) -> int | None:
    """Runs a program and returns its exit code; None if it took too long, and was ended with its children."""
    log = directory / "logs" / f"{name}.log"
    pid = processes.start(
        name, program.command, directory=directory, log=log, environment=program.environment
    )
    deadline = time.monotonic() + timeout
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            time.sleep(_POLL)
    finally:
        processes.stop(name, directory)
    return None


def _timeout(sfn: Any, execution: str) -> float:
    """Returns the seconds after which the state machine of an execution ends its task."""
    machine = sfn.describe_state_machine_for_execution(executionArn=execution)
    states = json.loads(machine["definition"])["States"].values()
    return float(next(state["TimeoutSeconds"] for state in states if "TimeoutSeconds" in state))


def _task(ecs: Any, cluster: str, execution: str) -> Mapping[str, Any]:
    """Returns the running task of an execution, which has its name as its group."""
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="RUNNING")["taskArns"]
    found: Sequence[Mapping[str, Any]] = (
        ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else ()
    )
    for task in found:
        if task["group"] == execution.rpartition(":")[2]:
            return task
    raise OpsError(f"The execution {execution} of the embedded AWS has no running task.")
