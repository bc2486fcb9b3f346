"""Rollouts: what ECS's answers mean, and watching them over HTTP where a stub plays them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from ops.core.clients import Credentials, isolated_client
from ops.core.console import minutes, printable
from ops.core.ecs import Deployment, Service, read_service
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.local.embedded import Embedded
from ops.rollout.tasks import failed_tasks
from ops.rollout.watch import Watch, failures_allowed, outcome_of, progress_of
from tests.ops.conftest import ACCOUNT, REGION
from tests.ops.ecs_stub import ENDLESS, FAILURE, SUCCESS, EcsStub, Frame, playing

CLUSTER, NAME = "oaktree-dev", "oaktree-dev-web"
OLD, NEW = (f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}:{number}" for number in (1, 2))
GROUP = "/oaktree/dev/web"


def deployment(task_definition: str, status: Any = "PRIMARY", state: Any = "IN_PROGRESS", **more: Any) -> Any:
    figures: dict[str, Any] = {"reason": "", "desired": 2, "running": 0, "pending": 0, "failed": 0} | more
    figures["since"] = datetime(2026, 1, 1, tzinfo=UTC)
    return Deployment(f"ecs-svc/{task_definition[-1]}", status, task_definition, state, **figures)


def service(*deployments: Deployment) -> Service:
    return Service("ACTIVE", NEW, deployments, (), 2, 0, 0, breaks=True, takes_commands=False)


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (service(deployment(NEW), deployment(OLD, "ACTIVE", "COMPLETED")), "under way", ""),
        (service(deployment(NEW, state="COMPLETED")), "completed", ""),
        (service(deployment(NEW, state="COMPLETED"), deployment(OLD, "ACTIVE")), "completed", ""),
        (service(deployment(OLD, state="COMPLETED")), "unknown", ""),
        (service(), "unknown", ""),
        (service(deployment(NEW, state="FAILED", reason="no\ttasks")), "failed", "no tasks."),
        (service(deployment(NEW, state="FAILED")), "failed", "ECS gave up on the deployment ecs-svc/2."),
        (
            service(deployment(OLD), deployment(NEW, "ACTIVE", "FAILED", reason="tasks failed to start.")),
            "failed",
            f"tasks failed to start. ECS went back to {NAME}:1.",
        ),
        (
            service(deployment(OLD), deployment(NEW, "ACTIVE")),
            "failed",
            f"ECS is rolling out {NAME}:1 instead of {NAME}:2.",
        ),
        (service(deployment(NEW, state="", running=2)), "completed", ""),
        (service(deployment(NEW, state="", running=1)), "under way", ""),
        (service(deployment(NEW, state="", running=2), deployment(OLD, "ACTIVE", "")), "under way", ""),
    ],
)
def test_an_answer_means_one_thing(found: Service, state: str, reason: str) -> None:
    outcome = outcome_of(found, NEW)
    assert (outcome.state, outcome.reason) == (state, reason)


STATES = st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", ""])
DEPLOYMENTS = st.builds(
    deployment, st.sampled_from([OLD, NEW]), st.sampled_from(["PRIMARY", "ACTIVE"]), STATES
)


@given(st.lists(DEPLOYMENTS, max_size=4))
def test_only_the_applied_task_definition_in_first_place_is_a_success(found: list[Deployment]) -> None:
    outcome = outcome_of(service(*found), NEW)
    primary = next((each for each in found if each.status == "PRIMARY"), None)
    if outcome.state == "completed":
        assert primary
        assert primary.task_definition == NEW
        assert primary.state in ("COMPLETED", "")
    assert bool(outcome.reason) == (outcome.state == "failed")


def test_what_was_last_in_service_as_a_whole_is_settled() -> None:
    settled = deployment(OLD, "ACTIVE", "COMPLETED")
    assert service(deployment(NEW), settled).settled == settled
    assert service(deployment(NEW)).settled == deployment(NEW)
    assert service().settled is None


def test_progress_tells_tasks_new_old_and_failed() -> None:
    new = deployment(NEW, running=1, pending=1, failed=2)
    found = service(new, deployment(OLD, "ACTIVE", running=2))
    words = "new tasks: 1 of 2 running, 1 starting; failed: 2 (ECS gives up at 3); old tasks: 2 running"
    assert progress_of(found, NEW) == words
    assert (
        progress_of(service(deployment(OLD, running=2)), NEW) == "new tasks: none yet; old tasks: 2 running"
    )


@pytest.mark.parametrize(("desired", "allowed"), [(1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (800, 200)])
def test_the_circuit_breaker_allows_for_half_of_the_tasks(desired: int, allowed: int) -> None:
    assert failures_allowed(desired) == allowed


@given(st.text())
def test_foreign_text_is_one_line_and_steers_nothing(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0 s"), (119.4, "119 s"), (120, "2 min"), (1200, "20 min"), (150, "2 min 30 s")]
)
def test_durations_are_told(seconds: float, told: str) -> None:
    assert minutes(seconds) == told


@pytest.fixture(scope="module")
def ecs(embedded: Embedded) -> Any:
    """ECS with a service that runs the first of three task definitions."""
    client = embedded.client("ecs", REGION)
    client.create_cluster(clusterName=CLUSTER)
    for _ in range(3):
        client.register_task_definition(family=NAME, containerDefinitions=[container()])
    client.create_service(cluster=CLUSTER, serviceName=NAME, taskDefinition=f"{NAME}:1", desiredCount=2)
    return client


def container() -> Any:
    options = {"awslogs-group": GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "web"}
    return {
        "name": "web",
        "image": "web",
        "memory": 128,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }


@pytest.fixture
def stub(embedded: Embedded, ecs: Any) -> Iterator[EcsStub]:
    ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=OLD)
    with playing(embedded.endpoint) as found:
        yield found


@pytest.fixture
def watch(stub: EcsStub) -> Watch:
    credentials = Credentials(f"AKIA{ACCOUNT}", "embedded")
    return Watch(isolated_client("ecs", REGION, stub.endpoint, credentials), CLUSTER, NAME, interval=0.0)


def begin(watch: Watch, stub: EcsStub, ecs: Any, *rollout: Frame) -> str:
    """Give the service another task definition, which is rolled out like that; returns its ARN."""
    assert watch.begin()
    stub.rollouts.append(rollout)
    ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=NEW)
    return NEW


def ignored(line: str) -> None:
    """Nobody reads it."""


def without_time(said: list[str]) -> list[str]:
    return [line[9:] if line[2:3] == ":" else line for line in said]


def test_a_rollout_is_watched_to_its_end(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    said: list[str] = []
    wanted = begin(watch, stub, ecs, *SUCCESS)
    found = watch.wait(wanted, 3600, Phase("rollout"), said.append, live=False)
    assert found.primary
    assert (found.primary.task_definition, found.primary.running) == (wanted, 2)
    assert without_time(said) == [
        "(service oaktree-dev-web) has started 2 tasks.",
        "new tasks: 0 of 2 running, 2 starting; old tasks: 2 running",
        "new tasks: 1 of 2 running, 1 starting; old tasks: 2 running",
        "(service oaktree-dev-web) has reached a steady state.",
        "new tasks: 2 of 2 running; old tasks: 0 running",
    ]


def test_where_it_is_seen_live_only_events_stay(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    said: list[str] = []
    watch.wait(begin(watch, stub, ecs, *SUCCESS), 3600, Phase("rollout"), said.append, live=True)
    assert without_time(said) == [frame.event for frame in SUCCESS if frame.event]


def test_events_of_before_are_not_told_again(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    watch.wait(begin(watch, stub, ecs, *SUCCESS), 3600, Phase("rollout"), ignored, live=True)
    again = Watch(watch.ecs, CLUSTER, NAME, interval=0.0)
    said: list[str] = []
    before = again.begin()
    assert before
    assert before.primary
    again.wait(before.primary.task_definition, 3600, Phase("rollout"), said.append, live=True)
    assert said == []


def test_a_rollout_that_the_circuit_breaker_undoes_fails(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    wanted = begin(watch, stub, ecs, *FAILURE)
    with pytest.raises(ReleaseFailedError) as failed:
        watch.wait(wanted, 3600, Phase("rollout"), ignored, live=True)
    assert failed.value.reason == (
        f"ECS deployment circuit breaker: tasks failed to start. ECS went back to {NAME}:1."
    )
    assert failed.value.details == (
        "new tasks: 0 of 2 running; failed: 3 (ECS gives up at 3); old tasks: 2 running",
    )


def test_a_rollout_without_end_fails_at_the_limit(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    wanted = begin(watch, stub, ecs, *ENDLESS)
    with pytest.raises(
        ReleaseFailedError, match=r"The rollout was not complete after 0 s: new tasks: 0 of 2"
    ):
        watch.wait(wanted, 0.0, Phase("rollout"), ignored, live=True)


def test_a_task_definition_that_never_comes_fails(watch: Watch) -> None:
    assert watch.begin()
    with pytest.raises(ReleaseFailedError, match=f"ECS is rolling out {NAME}:1 instead of {NAME}:9"):
        watch.wait(NEW.replace(":2", ":9"), 3600, Phase("rollout"), ignored, live=True)


def test_a_moment_without_answers_is_waited_out(watch: Watch, stub: EcsStub, ecs: Any) -> None:
    wanted = begin(watch, stub, ecs, *SUCCESS)
    watch.ecs = Silent(watch.ecs, 5)
    assert watch.wait(wanted, 3600, Phase("rollout"), ignored, live=True).primary


def test_an_ecs_that_stays_silent_proves_nothing(ecs: Any) -> None:
    silent = Watch(Silent(ecs, 1000), CLUSTER, NAME, interval=0.0)
    with pytest.raises(OpsError, match="The rollout's state could not be read from ECS") as failed:
        silent.wait(NEW, 3600, Phase("rollout"), ignored, live=True)
    assert not isinstance(failed.value, ReleaseFailedError)


class Silent:
    """An ECS that does not answer at first."""

    def __init__(self, ecs: Any, times: int) -> None:
        self._ecs = ecs
        self._times = times
        self.exceptions = ecs.exceptions

    def describe_services(self, **asked: Any) -> Any:
        self._times -= 1
        if self._times >= 0:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return self._ecs.describe_services(**asked)


def test_a_service_that_is_not_there_is_none(ecs: Any) -> None:
    assert read_service(ecs, CLUSTER, "nobody") is None
    assert read_service(ecs, "nowhere", NAME) is None


def test_failed_tasks_are_told_with_the_last_lines_of_the_newest(
    embedded: Embedded, watch: Watch, stub: EcsStub, ecs: Any
) -> None:
    wanted = begin(watch, stub, ecs, *FAILURE)
    assert watch.begin()
    logs = embedded.client("logs", REGION)
    assert list(failed_tasks(watch.ecs, logs, CLUSTER, NAME, wanted)) == [
        "ECS reports no stopped tasks of this release; it keeps them for about an hour."
    ]
    stub.stopped = [task("older", 100.0, exit_status=2), task("newest", 200.0, exit_status=1)]
    stub.stopped.append(task("other", 300.0, exit_status=3) | {"taskDefinitionArn": OLD})
    told = list(failed_tasks(watch.ecs, logs, CLUSTER, NAME, wanted))
    assert told == [
        "Tasks that stopped last:",
        "  newest: Essential container in task exited; web ended with exit status 1; web: OutOfMemory",
        "  older: Essential container in task exited; web ended with exit status 2; web: OutOfMemory",
        "The task newest logged nothing to /oaktree/dev/web.",
    ]
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="web/web/newest")
    at = int(time.time() * 1000)
    lines = [*(f"line {number}" for number in range(25)), "no \x1b[31mtable", "x" * 400]
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName="web/web/newest",
        logEvents=[{"timestamp": at + number, "message": line} for number, line in enumerate(lines)],
    )
    told = list(failed_tasks(watch.ecs, logs, CLUSTER, NAME, wanted))
    assert told[3] == "The last lines of /oaktree/dev/web, web/web/newest:"
    assert told[4:6] == ["  | line 7", "  | line 8"]
    assert told[-2:] == ["  | no  [31mtable", f"  | {'x' * 300}..."]


def task(identity: str, stopped: float, *, exit_status: int) -> dict[str, Any]:
    """A stopped task as ECS tells of it."""
    return {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{identity}",
        "stoppedAt": stopped,
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "web", "exitCode": exit_status, "reason": "OutOfMemory"}],
    }
