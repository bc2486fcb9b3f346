"""A shell, or another command, in a running task, through the AWS CLI and its session plugin.

Source: Amazon ECS Developer Guide, "Monitor Amazon ECS containers with ECS Exec".
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.core.ecs import read_service, read_tasks
from ops.core.errors import OpsError
from stacks.naming import base, service_name
from stacks.service_settings import Service
from stacks.settings import Environment, Project

SHELL: Final = "/bin/sh"

INSTALL: Final = {
    "aws": 'Install the AWS CLI: AWS CLI User Guide, "Installing or updating to the latest version".',
    "session-manager-plugin": (
        'Install it: AWS Systems Manager User Guide, "Install the Session Manager plugin for the AWS CLI".'
    ),
}
"""How to install each program."""

_AGENT: Final = "ExecuteCommandAgent"


@dataclass(frozen=True, slots=True)
class Tools:
    """Absolute paths of the programs that open a session."""

    aws: str
    plugin: str


@dataclass(frozen=True, slots=True)
class Task:
    """A running task that accepts commands."""

    arn: str
    cluster: str
    container: str

    @property
    def id(self) -> str:
        """Returns the last part of its ARN."""
        return self.arn.rpartition("/")[2]


def find_tools() -> Tools:
    """Returns the AWS CLI and its session plugin from PATH.

    Raises OpsError, which says how to install what is missing.
    """
    aws, plugin = shutil.which("aws"), shutil.which("session-manager-plugin")
    if aws and plugin:
        return Tools(aws, plugin)
    missing = [name for name, path in (("aws", aws), ("session-manager-plugin", plugin)) if not path]
    raise OpsError("\n".join(f"{name} is not on PATH. {INSTALL[name]}" for name in missing))


def find_task(ecs: Any, project: Project, environment: Environment, service: str) -> Task:
    """Returns the newest running task of a service that accepts commands.

    Raises OpsError if none runs, if `exec` is off for the service, or on but not in force yet.
    """
    cluster = base(project.name, environment.name)
    name = service_name(project.name, environment.name, service)
    found = read_service(ecs, cluster, name)
    if found is None or found.status != "ACTIVE":
        raise OpsError(
            f"ECS has no service {name}. `make status ENV={environment.name}` shows what is deployed."
        )
    if not found.takes_commands:
        raise OpsError(_switched_off(environment, service))
    running = [
        task
        for task in read_tasks(ecs, cluster, name, "RUNNING")
        if task.get("group") == f"service:{name}" and task["lastStatus"] == "RUNNING"
    ]
    if not running:
        raise OpsError(
            f"No task of {service} runs in {environment.name}. `make status ENV={environment.name}` shows "
            "what ECS says."
        )
    enabled = [task for task in running if task.get("enableExecuteCommand")]
    if not enabled:
        raise OpsError(
            f"The tasks of {service} were started before `exec` was set. The next deployment replaces them; "
            f" `aws ecs update-service --cluster {cluster} --service {name} --force-new-deployment "
            f"--region {environment.region}` makes one now."
        )
    reasons = {task["taskArn"]: _not_ready(task, service) for task in enabled}
    ready = [task for task in enabled if not reasons[task["taskArn"]]]
    if not ready:
        newest = max(enabled, key=_started)["taskArn"]
        raise OpsError(
            f"The agent that accepts commands in the task {newest.rpartition('/')[2]} is {reasons[newest]}. "
            "It needs some seconds after a task's start, and a route to Systems Manager: with `nat = "
            '"none"`, `ssmmessages` in `network.endpoints` (docs/settings.md).'
            f"{_unsupported(environment.services[service])}"
        )
    return Task(max(ready, key=_started)["taskArn"], cluster, service)


def command(tools: Tools, task: Task, region: str, line: str) -> tuple[str, ...]:
    """Returns the command that opens a session with the AWS CLI; the container splits `line` into words."""
    options = {
        "--region": region,
        "--cluster": task.cluster,
        "--task": task.arn,
        "--container": task.container,
        "--command": line,
    }
    flat = (part for option in options.items() for part in option)
    return (tools.aws, "ecs", "execute-command", "--interactive", *flat)


def _switched_off(environment: Environment, service: str) -> str:
    settings = environment.services[service]
    if settings.exec:
        return (
            f"ECS Exec is off for {service}, but on in the settings: apply them with "
            f"`make plan ENV={environment.name} STACK=service` and `make apply ENV={environment.name} "
            "STACK=service`."
        )
    also = ""
    if settings.read_only_root:
        also = ' and `writable_paths = ["/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"]`'
    return (
        f"ECS Exec is off for {service}. Set `exec = true`{also} in [services.{service}] of "
        f"environments/{environment.name}.toml (docs/settings.md), then plan and apply "
        f"the service stack of {environment.name}.{_unsupported(settings)}"
    )


def _unsupported(settings: Service) -> str:
    """Returns a hint where AWS does not support ECS Exec, else an empty string.

    Source: Amazon ECS Developer Guide, "Monitor Amazon ECS containers with ECS Exec".
    """
    if not settings.read_only_root:
        return ""
    return " AWS supports ECS Exec only with a writable root: if it fails, set `read_only_root = false`."


def _started(task: Mapping[str, Any]) -> float:
    at = task.get("startedAt") or task.get("createdAt")
    return at.timestamp() if at else 0.0


def _not_ready(task: Mapping[str, Any], container: str) -> str:
    """Returns the agent's status and reason, or an empty string if it accepts commands."""
    for each in task.get("containers", ()):
        if each["name"] == container:
            for agent in each.get("managedAgents", ()):
                if agent["name"] == _AGENT and agent["lastStatus"] != "RUNNING":
                    reason = agent.get("reason", "")
                    return f"{agent['lastStatus']}{f' ({reason})' if reason else ''}"
            return ""
    return f"missing: the task has no container {container}"
