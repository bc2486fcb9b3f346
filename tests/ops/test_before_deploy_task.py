"""Which services run `before_deploy`, what is applied for it, and what becomes of its task; ECS is played."""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Progress
from ops.local import services, stand_in
from ops.rollout import before_deploy
from ops.rollout.before_deploy import BeforeDeploy, beyond, services_to_run, targets
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.stacks.platform_files import environment, write_platform

SERVICES = """
[services.web]
dockerfile = "web/Dockerfile"
uses = ["services.prices"]
before_deploy = ["migrate"]
[services.prices]
dockerfile = "prices/Dockerfile"
internal = true
port = 8081
before_deploy = ["migrate"]
"""
ARN = "arn:aws:ecs:eu-central-1:111111111111:task-definition/oaktree-dev-web-before-deploy:7"
TASK = "arn:aws:ecs:eu-central-1:111111111111:task/oaktree-dev/0123"


def change(address: str, *actions: str, **after: Any) -> dict[str, Any]:
    """A resource's change as a plan has it."""
    kind, _, name = address.partition(".")
    return {"address": address, "type": kind, "name": name, "change": {"actions": [*actions], "after": after}}


PLAN = {
    "resource_changes": [
        change("aws_ecs_task_definition.web_before_deploy", "create", "delete"),
        change("aws_ecs_task_definition.web_task", "create", "delete"),
        change("aws_ecs_task_definition.prices_before_deploy", "create"),
        change("aws_iam_role_policy.web_task_role_policy", "update"),
        change("aws_iam_role_policy.web-api_task_role_policy", "update"),
        change("aws_iam_role.web_task_role", "no-op"),
        change("aws_vpc_security_group_ingress_rule.store_task_from_service_web", "create"),
        change("aws_ecs_cluster.cluster", "create"),
        change("aws_lb.shared", "create"),
        change(
            "aws_ecs_service.web_service",
            "update",
            network_configuration=[{"subnets": ["subnet-1"], "assign_public_ip": False}],
        ),
    ]
}


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return read_platform(
        write_platform(tmp_path_factory.mktemp("platform"), dev=environment(services=SERVICES))
    )


@dataclass
class Ecs:
    """ECS, which starts a task and says each time it is asked the next of these states."""

    states: list[dict[str, Any]]
    failures: list[dict[str, str]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, action: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.asked.append((action, arguments))
            task = {"taskArn": TASK, "lastStatus": "PENDING", "containers": [{"name": "web"}]}
            if action == "run_task":
                return {"tasks": [] if self.failures else [task], "failures": self.failures}
            if action == "describe_tasks":
                return {"tasks": [task | self.states.pop(0)] if self.states else []}
            return {}

        return call

    def calls(self, action: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.asked if called == action]


class Directory:
    """A working directory after the targeted apply."""

    def __init__(self) -> None:
        self.planned: tuple[str, ...] = ()

    def plan(self, *arguments: str) -> Any:
        self.planned = arguments
        return PLAN

    def discard_plan(self) -> None:
        raise AssertionError("the plan is a part of the whole one")

    def apply_plan(self, on_line: object) -> None:
        assert on_line

    def pull_state(self) -> bytes:
        found = {
            "aws_ecs_task_definition.web_before_deploy": {"arn": ARN},
            "aws_security_group.web_task_group": {"id": "sg-1"},
        }
        resources = [
            {
                "mode": "managed",
                "type": address.partition(".")[0],
                "name": address.partition(".")[2],
                "instances": [{"attributes": attributes}],
            }
            for address, attributes in found.items()
        ]
        return json.dumps({"resources": resources}).encode()


def ended(code: int | None, reason: str = "") -> dict[str, Any]:
    """A task that is stopped."""
    container: dict[str, Any] = {"name": "web"} | ({} if code is None else {"exitCode": code})
    return {"lastStatus": "STOPPED", "stoppedReason": reason, "containers": [container]}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, platform: Platform) -> Callable[[Ecs], Directory]:
    """Runs the command of web."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(before_deploy, "last_lines", lambda *_: iter(["  | no such column"]))

    def go(ecs: Ecs) -> Directory:
        monkeypatch.setattr(before_deploy, "ambient_client", lambda *_: ecs)
        directory = Directory()
        phase = Progress(Console(file=io.StringIO())).phase
        commands = BeforeDeploy(platform.project, platform.environments["dev"], phase, 0.0, None)
        commands.run(directory, PLAN, ["web"])  # type: ignore[arg-type]  # has all that is called
        return directory

    return go


def test_services_run_it_if_the_plan_defines_its_task_anew_each_after_those_it_uses(
    platform: Platform,
) -> None:
    assert services_to_run(PLAN, platform.environments["dev"]) == ("prices", "web")
    unchanged = {"resource_changes": [change("aws_ecs_task_definition.web_before_deploy", "no-op")]}
    assert services_to_run(unchanged, platform.environments["dev"]) == ()


def test_only_what_the_task_needs_is_applied_first() -> None:
    assert targets(PLAN, ["web"]) == (
        "aws_ecs_task_definition.web_before_deploy",
        "aws_iam_role_policy.web_task_role_policy",
        "aws_vpc_security_group_ingress_rule.store_task_from_service_web",
        "aws_ecs_cluster.cluster",
    )


def test_the_task_runs_where_the_service_does(run: Callable[[Ecs], Directory]) -> None:
    ecs = Ecs([ended(0)])
    assert run(ecs).planned[0] == "-target=aws_ecs_task_definition.web_before_deploy"
    (asked,) = ecs.calls("run_task")
    assert (asked["cluster"], asked["taskDefinition"]) == ("oaktree-dev", ARN)
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }
    assert not ecs.calls("deregister_task_definition")


def test_a_command_that_fails_is_told_with_its_last_lines_and_its_definition_deregistered(
    run: Callable[[Ecs], Directory],
) -> None:
    ecs = Ecs([ended(3, "Essential container in task exited")])
    with pytest.raises(
        ReleaseFailedError,
        match=r"^before_deploy of web ended with exit code 3: Essential container in task exited; nothing "
        r"was deployed\.\n  \| no such column$",
    ) as failure:
        run(ecs)
    assert failure.value.service == "web"
    assert ecs.calls("deregister_task_definition") == [{"taskDefinition": ARN}]


def test_a_task_whose_container_never_ran_is_started_again(run: Callable[[Ecs], Directory]) -> None:
    ecs = Ecs([ended(None, "unable to assume the role"), ended(0)])
    run(ecs)
    assert len(ecs.calls("run_task")) == 2
    gone = Ecs([ended(None, "CannotPullContainerError") for _ in range(3)])
    with pytest.raises(ReleaseFailedError, match="before_deploy of web did not start: CannotPullContainerE"):
        run(gone)
    assert len(gone.calls("run_task")) == 3


def test_a_task_that_takes_too_long_is_stopped(run: Callable[[Ecs], Directory]) -> None:
    ecs = Ecs([{"lastStatus": "RUNNING"}])
    with pytest.raises(ReleaseFailedError, match="before_deploy of web took more than 0 s and was stopped; "):
        run(ecs)
    assert ecs.calls("stop_task")[0]["task"] == TASK
    assert ecs.calls("deregister_task_definition")


def test_a_targeted_plan_that_fails_leaves_the_definitions_that_there_are(
    run: Callable[[Ecs], Directory], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OpsError("The state is locked.")

    monkeypatch.setattr(Directory, "plan", refuse)
    ecs = Ecs([])
    with pytest.raises(OpsError, match="The state is locked"):
        run(ecs)
    assert not ecs.asked


def test_what_the_task_needs_is_applied_only_if_it_is_a_part_of_the_whole_plan(
    run: Callable[[Ecs], Directory], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = change("aws_iam_role_policy.web_task_role_policy", "update", policy="*")
    applied: list[object] = []
    discarded: list[object] = []
    monkeypatch.setattr(Directory, "plan", lambda *_: {"resource_changes": [more]})
    monkeypatch.setattr(Directory, "discard_plan", lambda *_: discarded.append(True))
    monkeypatch.setattr(Directory, "apply_plan", lambda *_: applied.append(True))
    ecs = Ecs([])
    with pytest.raises(OpsError, match=r"other changes than the plan before it: aws_iam_role_policy\.web_t"):
        run(ecs)
    assert (len(discarded), applied, ecs.asked) == (1, [], [])


def test_what_ecs_refuses_to_start_is_told(run: Callable[[Ecs], Directory]) -> None:
    with pytest.raises(OpsError, match="was not started by ECS: Capacity is unavailable; nothing was deploy"):
        run(Ecs([], failures=[{"reason": "Capacity is unavailable"}]))


def test_the_rest_may_only_change_what_the_first_plan_said() -> None:
    rest = {"resource_changes": PLAN["resource_changes"][-2:]}
    assert beyond(PLAN, rest) == ()
    other = change("aws_ecs_service.web_service", "update", network_configuration=[{"subnets": ["subnet-2"]}])
    more = change("aws_lb.other", "create")
    again = change("aws_lb.shared", "update")
    done = change("aws_iam_role.web_task_role", "no-op")
    assert beyond(PLAN, {"resource_changes": [other, more, again, done]}) == (
        "aws_ecs_service.web_service",
        "aws_lb.other",
        "aws_lb.shared",
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def unknown_of(draw: st.DrawFn, value: Any) -> tuple[Any, Any]:
    """A value with parts left out, and which those are, as a plan has it."""
    if draw(st.booleans()):
        return None, True
    if isinstance(value, dict):
        parts = {key: unknown_of(draw, each) for key, each in value.items()}
        known = {key: part for key, (part, unknown) in parts.items() if unknown is not True}
        return known, {key: unknown for key, (_, unknown) in parts.items()}
    if isinstance(value, list):
        items = [unknown_of(draw, each) for each in value]
        return [part for part, _ in items], [unknown for _, unknown in items]
    return value, False


@st.composite
def partly_unknown(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    value = {"input": draw(VALUES)}
    return (value, *unknown_of(draw, value))


@given(partly_unknown())
def test_what_a_plan_did_not_know_may_become_anything(drawn: tuple[Any, Any, Any]) -> None:
    value, planned, unknown = drawn
    first = change("aws_lb.shared", "create")
    first["change"] |= {"after": planned, "after_unknown": unknown}
    later = change("aws_lb.shared", "create", **value)
    assert beyond({"resource_changes": [first]}, {"resource_changes": [later]}) == ()


def test_only_what_this_run_printed_is_shown(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: Any = None  # It is not asked.
    here = stand_in.StandIn(Checkout(tmp_path), embedded, platform.project, platform.environments["dev"])
    log = tmp_path / ".oaktree/local/logs/before-dev-web.log"
    log.parent.mkdir(parents=True)
    printed = iter(["first\nlast\n", ""])

    def run_task(*_: object, **__: object) -> None:
        with log.open("a") as file:
            file.write(next(printed))

    monkeypatch.setattr(stand_in, "run_task", run_task)
    monkeypatch.setattr(services.Services, "one_off", lambda *_: None)
    assert here.run_before_deploy("web", {}, 1.0) == "last"
    assert here.run_before_deploy("web", {}, 1.0) == "it said nothing"
