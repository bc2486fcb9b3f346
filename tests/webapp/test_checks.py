"""What the checks say of an embedded AWS, and of answers that it does not give."""

import asyncio
import json
import platform
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import ACCOUNT_ID, CLUSTER, CREDENTIALS, DIGEST, IMAGE, components, environ_of
from tests.webapp.faults import Answering, answering, aws_error
from tests.webapp.furnishing import (
    aws,
    put_alarms,
    put_image,
    put_pending_service,
    put_service,
    put_table,
    raise_alarm,
)
from webapp.aws import Clients, open_clients
from webapp.calls import AwsError, FailureKind
from webapp.check import Check
from webapp.checks import CHECKS, alarms, image, storage, tasks
from webapp.components import Component, Kind
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
OTHER_DIGEST = f"sha256:{'cd' * 32}"

Ask = Callable[[Check, Settings], Finding]


@contextmanager
def asking(url: str, credentials: dict[str, str]) -> Iterator[Ask]:
    """Runs checks against one address, with clients as the app has them."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        for name, value in (credentials | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        stack = AsyncExitStack()
        clients = runner.run(stack.enter_async_context(open_clients(settings())))
        try:
            yield lambda check, settings: runner.run(
                _run(check.run(clients, of_kind(check, settings), settings))
            )
        finally:
            runner.run(stack.aclose())


def of_kind(check: Check, settings: Settings) -> Component:
    """The first component that a check is for."""
    return next(each for each in settings.watched.values() if each.kind is check.kind)


async def _run(found: Awaitable[Finding]) -> Finding:
    return await found


@pytest.fixture(scope="module")
def ask(embedded_aws: str) -> Iterator[Ask]:
    with asking(embedded_aws, CREDENTIALS) as function:
        yield function


@pytest.fixture(scope="module")
def answers() -> Iterator[Answering]:
    with answering(200) as server:
        yield server


@pytest.fixture(scope="module")
def ask_answers(answers: Answering) -> Iterator[Ask]:
    with asking(answers.url, CREDENTIALS) as function:
        yield function


def new_task_check() -> Check:
    """What the checks of services have in common, before it has seen a task definition."""
    look = tasks.Tasks().look

    async def run(clients: Clients, component: Component, with_settings: Settings) -> Finding:
        return (await look(clients, component, with_settings))[1]

    return Check(Kind.WEB, ("ecs",), tasks.GRANTS, run, tasks.MISSING)


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"oaktree-{uuid4().hex[:8]}"


def settings(*, cluster: str = CLUSTER, image: str = IMAGE, **resources: str) -> Settings:
    """The tests' settings, with another cluster, image, or resources of some components."""
    variables = {"CLUSTER": cluster, "IMAGE": image, "COMPONENTS": components(**resources)}
    return read_settings(environ_of("http://127.0.0.1:9") | variables)


def failing(ask: Ask, check: Check, with_settings: Settings) -> FailureKind:
    """The kind of failure that a check raises."""
    with pytest.raises(AwsError) as raised:
        ask(check, with_settings)
    return raised.value.kind


def assert_nothing_internal(finding: Finding) -> None:
    """No ARN, account, address or digest of somebody else's in what everybody may read."""
    told = json.dumps([finding.message, dict(finding.details)])
    for internal in ("arn:", ACCOUNT_ID, "127.0.0.1", "amazonaws.com"):
        assert internal not in told


def test_everything_in_good_order_is_operational_and_tells_nothing_internal(ask: Ask) -> None:
    for check in {each.kind: CHECKS[each.kind] for each in settings().watched.values()}.values():
        finding = ask(check, settings())
        assert finding.state is State.OPERATIONAL, finding
        assert finding.message.endswith(".")
        assert_nothing_internal(finding)


def test_a_table_is_operational_until_it_is_deleted(ask: Ask, embedded_aws: str, name: str) -> None:
    put_table(embedded_aws, name)
    assert ask(storage.CHECK, settings(table=name)) == Finding(
        State.OPERATIONAL, "The table is ACTIVE.", {"readable": True, "status": "ACTIVE"}
    )
    aws("dynamodb", embedded_aws).delete_table(TableName=name)
    assert failing(ask, storage.CHECK, settings(table=name)) is FailureKind.MISSING


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("ACTIVE", State.OPERATIONAL),
        ("UPDATING", State.OPERATIONAL),
        ("CREATING", State.DOWN),
        ("DELETING", State.DOWN),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", State.DOWN),
    ],
)
def test_the_state_follows_the_status_of_the_table(
    ask_answers: Ask, answers: Answering, status: str, state: State
) -> None:
    answers.answer({"Table": {"TableStatus": status}})
    found = ask_answers(storage.CHECK, settings())
    assert (found.state, found.message) == (state, f"The table is {status}.")


def test_a_table_that_can_be_read_and_not_described_is_degraded_and_readable(
    ask_answers: Ask, answers: Answering
) -> None:
    answers.answer({})
    answers.operations["DescribeTable"] = (400, aws_error("AccessDeniedException"))
    found = ask_answers(storage.CHECK, settings())
    assert (found.state, found.details) == (State.DEGRADED, {"readable": True})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, aws_error("InternalServerError"), FailureKind.UNAVAILABLE),
        (400, aws_error("InternalFailure"), FailureKind.UNAVAILABLE),
        (400, aws_error("ServiceUnavailableException"), FailureKind.UNAVAILABLE),
        (400, aws_error("ServiceUnavailable"), FailureKind.UNAVAILABLE),
        (400, aws_error("ServerException"), FailureKind.UNAVAILABLE),
        (503, b"<html>no</html>", FailureKind.UNAVAILABLE),
        (502, aws_error("NobodyKnows"), FailureKind.UNAVAILABLE),
        (503, aws_error("SlowDown"), FailureKind.THROTTLED),
        (500, aws_error("ThrottlingException"), FailureKind.THROTTLED),
        (400, aws_error("ThrottledException"), FailureKind.THROTTLED),
        (400, aws_error("RequestThrottled"), FailureKind.THROTTLED),
        (400, aws_error("RequestThrottledException"), FailureKind.THROTTLED),
        (400, aws_error("LimitExceededException"), FailureKind.THROTTLED),
        (400, aws_error("BandwidthLimitExceeded"), FailureKind.THROTTLED),
        (400, aws_error("PriorRequestNotComplete"), FailureKind.THROTTLED),
        (400, aws_error("RequestExpired"), FailureKind.CREDENTIALS),
        (400, aws_error("NobodyKnows"), FailureKind.UNEXPECTED),
    ],
)
def test_what_aws_answers_tells_the_kind_of_failure(
    ask_answers: Ask, answers: Answering, status: int, body: bytes, kind: FailureKind
) -> None:
    answers.status, answers.body = status, body
    answers.operations.clear()
    assert failing(ask_answers, storage.CHECK, settings()) is kind


def test_a_service_goes_from_pending_to_running_to_deleted(ask: Ask, embedded_aws: str, name: str) -> None:
    with_settings = settings(cluster=name, web=name)
    check = new_task_check()
    assert failing(ask, check, with_settings) is FailureKind.MISSING
    put_pending_service(embedded_aws, name, name, IMAGE, tasks=2)
    pending = ask(check, with_settings)
    assert (pending.state, pending.message) == (
        State.UNKNOWN,
        "The first tasks start. Tasks: 0 running, 2 desired.",
    )
    assert (pending.details["pending"], pending.details["rollout"]) == (2, "IN_PROGRESS")
    aws("ecs", embedded_aws).update_service(cluster=name, service=name, desiredCount=3)
    growing = ask(check, with_settings)
    assert growing.state is State.OPERATIONAL
    assert growing.message == "A deployment is in progress. Tasks: 3 running, 3 desired."
    aws("ecs", embedded_aws).delete_service(cluster=name, service=name, force=True)
    deleted = ask(check, with_settings)
    assert deleted.state is State.DOWN
    assert deleted.message.startswith("The service is INACTIVE.")


def test_a_service_that_runs_tells_its_deployment(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, name, name, IMAGE, tasks=2)
    found = ask(new_task_check(), settings(cluster=name, web=name))
    assert (found.state, found.message) == (
        State.OPERATIONAL,
        "The deployment is complete. Tasks: 2 running, 2 desired.",
    )
    assert isinstance(found.details["deployed_at"], str)
    deployed_at = datetime.fromisoformat(found.details["deployed_at"])
    assert timedelta(0) <= datetime.now(UTC) - deployed_at < timedelta(minutes=1)
    assert found.details == {
        "running": 2,
        "desired": 2,
        "pending": 0,
        "rollout": "COMPLETED",
        "deployed_at": found.details["deployed_at"],
        "digest": DIGEST,
    }


def test_a_service_missing_from_its_cluster_is_down(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, name, name, IMAGE)
    found = ask(new_task_check(), settings(cluster=name, web="another"))
    assert found == Finding(State.DOWN, "The service does not exist.")


def test_another_release_than_the_tasks_own_is_told(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, name, name, IMAGE.replace(DIGEST, OTHER_DIGEST))
    found = ask(new_task_check(), settings(cluster=name, web=name))
    assert found.state is State.OPERATIONAL
    assert found.message.endswith("Another release than this task's is deployed.")
    assert found.details["digest"] == OTHER_DIGEST


DEPLOYMENT = {"status": "PRIMARY", "rolloutState": "COMPLETED", "createdAt": 1.5e9, "taskDefinition": "web:2"}
FORMER = {"status": "ACTIVE", "rolloutState": "FAILED", "createdAt": 1.4e9, "taskDefinition": "web:1"}
SERVICE = {"status": "ACTIVE", "runningCount": 2, "desiredCount": 2, "pendingCount": 0}
CONTAINERS = [{"name": "sidecar", "image": "another"}, {"name": "web", "image": IMAGE}]


def told(service: dict[str, object], deployment: dict[str, object]) -> dict[str, object]:
    """What DescribeServices and DescribeTaskDefinition answer, in one."""
    deployments = [FORMER, DEPLOYMENT | deployment]
    return {
        "services": [SERVICE | service | {"deployments": deployments}],
        "taskDefinition": {"containerDefinitions": CONTAINERS},
    }


@pytest.mark.parametrize(
    ("service", "deployment", "state", "sentence"),
    [
        ({}, {}, State.OPERATIONAL, "The deployment is complete. Tasks: 2 running, 2 desired."),
        ({"runningCount": 3}, {}, State.OPERATIONAL, "The deployment is complete. Tasks: 3 running, "),
        ({"runningCount": 1}, {}, State.DEGRADED, "Some tasks are missing. Tasks: 1 running, 2 desired."),
        ({"runningCount": 0}, {}, State.DOWN, "No task runs. Tasks: 0 running, 2 desired."),
        ({"runningCount": 0, "desiredCount": 0}, {}, State.OPERATIONAL, "It is scaled to zero. "),
        ({"runningCount": 1, "pendingCount": 1}, {}, State.OPERATIONAL, "More tasks start. Tasks: 1 "),
        ({"runningCount": 0, "pendingCount": 2}, {}, State.DOWN, "No task runs. Tasks: 0 running, 2 "),
        ({}, {"rolloutState": "IN_PROGRESS"}, State.OPERATIONAL, "A deployment is in progress. Tasks: 2 "),
        (
            {"runningCount": 1, "pendingCount": 1},
            {"rolloutState": "IN_PROGRESS", "failedTasks": 0},
            State.OPERATIONAL,
            "A deployment is in progress. Tasks: 1 running, 2 desired.",
        ),
        (
            {"runningCount": 1},
            {"rolloutState": "IN_PROGRESS"},
            State.DEGRADED,
            "Some tasks are missing. Tasks: 1 running, 2 desired.",
        ),
        (
            {"pendingCount": 2},
            {"rolloutState": "IN_PROGRESS", "failedTasks": 1},
            State.DEGRADED,
            "Tasks of the deployment in progress fail. Tasks: 2 running, 2 desired.",
        ),
        # Another deployment was there before, so this is no first start.
        (
            {"runningCount": 0, "pendingCount": 2},
            {"rolloutState": "IN_PROGRESS"},
            State.DOWN,
            "No task runs. Tasks: 0 running, 2 desired.",
        ),
        ({}, {"rolloutState": "FAILED"}, State.DEGRADED, "The last deployment failed. Tasks: 2 running, "),
        ({"status": "DRAINING"}, {}, State.DOWN, "The service is DRAINING. Tasks: 2 running, 2 desired."),
    ],
)
def test_the_state_follows_tasks_and_rollout(
    ask_answers: Ask,
    answers: Answering,
    service: dict[str, object],
    deployment: dict[str, object],
    state: State,
    sentence: str,
) -> None:
    answers.answer(told(service, deployment))
    found = ask_answers(new_task_check(), settings())
    assert found.state is state
    assert found.message.startswith(sentence)
    assert found.details["deployed_at"] == "2017-07-14T02:40:00Z"


def test_a_service_whose_tasks_are_counted_stays_known_when_its_image_is_not(
    ask_answers: Ask, answers: Answering
) -> None:
    check = new_task_check()
    answers.answer(told({}, {}))
    answers.operations["DescribeTaskDefinition"] = (400, aws_error("AccessDeniedException"))
    found = ask_answers(check, settings())
    assert (found.state, found.details["digest"]) == (State.OPERATIONAL, None)
    answers.operations.clear()
    assert ask_answers(check, settings()).details["digest"] == DIGEST


def test_a_task_definition_is_asked_for_once_and_a_new_one_again(
    ask_answers: Ask, answers: Answering
) -> None:
    check = new_task_check()
    answers.answer(told({}, {}))
    ask_answers(check, settings())
    answers.operations["DescribeTaskDefinition"] = (500, b"")
    assert ask_answers(check, settings()).details["digest"] == DIGEST
    answers.answer(told({}, {"taskDefinition": "web:3"}))
    answers.operations["DescribeTaskDefinition"] = (400, aws_error("AccessDeniedException"))
    assert ask_answers(check, settings()).details["digest"] is None


def test_a_deployment_of_another_controller_than_ecs_has_no_rollout(
    ask_answers: Ask, answers: Answering
) -> None:
    answers.answer({"services": [SERVICE | {"deployments": []}]})
    found = ask_answers(new_task_check(), settings())
    assert found.state is State.OPERATIONAL
    assert (found.details["rollout"], found.details["deployed_at"], found.details["digest"]) == (
        None,
        None,
        None,
    )


def test_an_image_is_found_and_then_lost(ask: Ask, embedded_aws: str, name: str) -> None:
    with_settings = settings(image=IMAGE.replace("oaktree/web", name))
    assert failing(ask, image.CHECK, with_settings) is FailureKind.MISSING
    put_image(embedded_aws, name, DIGEST)
    assert ask(image.CHECK, with_settings) == Finding(
        State.OPERATIONAL, "The image is there; it was not scanned yet.", {"scan": None}
    )
    aws("ecr", embedded_aws).start_image_scan(repositoryName=name, imageId={"imageDigest": DIGEST})
    assert ask(image.CHECK, with_settings) == Finding(
        State.OPERATIONAL, "Vulnerabilities in the image: 1 high.", {"scan": "COMPLETE", "high": 1}
    )
    aws("ecr", embedded_aws).batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": DIGEST}])
    assert failing(ask, image.CHECK, with_settings) is FailureKind.MISSING


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        ("COMPLETE", State.OPERATIONAL, "No vulnerability was found in the image."),
        ("ACTIVE", State.OPERATIONAL, "No vulnerability was found in the image."),
        ("IN_PROGRESS", State.OPERATIONAL, "The image is there; it is being scanned."),
        ("PENDING", State.OPERATIONAL, "The image is there; it is being scanned."),
        ("UNSUPPORTED_IMAGE", State.OPERATIONAL, "The image is there; it is not scannable for ECR."),
        ("FAILED", State.UNKNOWN, "The image's scan has no result: FAILED."),
        ("LIMIT_EXCEEDED", State.UNKNOWN, "The image's scan has no result: LIMIT_EXCEEDED."),
    ],
)
def test_the_state_follows_the_scan(
    ask_answers: Ask, answers: Answering, status: str, state: State, message: str
) -> None:
    answers.answer({"imageScanStatus": {"status": status}, "imageScanFindings": {}})
    images = {"images": [{"imageManifest": json.dumps({"schemaVersion": 2})}]}
    answers.operations["BatchGetImage"] = (200, json.dumps(images).encode())
    assert ask_answers(image.CHECK, settings()) == Finding(state, message, {"scan": status})


def test_a_scan_without_findings_has_none(ask_answers: Ask, answers: Answering) -> None:
    answers.answer({"imageScanStatus": {"status": "COMPLETE"}})
    images = {"images": [{"imageManifest": json.dumps({"schemaVersion": 2})}]}
    answers.operations["BatchGetImage"] = (200, json.dumps(images).encode())
    found = ask_answers(image.CHECK, settings(image=IMAGE.replace(DIGEST, OTHER_DIGEST)))
    assert found == Finding(
        State.OPERATIONAL, "No vulnerability was found in the image.", {"scan": "COMPLETE"}
    )


@pytest.mark.parametrize(
    ("codes", "state", "message"),
    [
        ((), State.DOWN, "The image is not in its repository."),
        (("ImageNotFound",), State.DOWN, "The image is not in its repository."),
        (("KmsError",), State.UNKNOWN, "ECR does not give the image: KmsError."),
        (("UpstreamUnavailable",), State.UNKNOWN, "ECR does not give the image: UpstreamUnavailable."),
    ],
)
def test_an_image_that_ecr_does_not_give_is_missing_only_if_it_says_so(
    ask_answers: Ask, answers: Answering, codes: tuple[str, ...], state: State, message: str
) -> None:
    answers.answer({"images": [], "failures": [{"failureCode": code} for code in codes]})
    other = IMAGE.replace(DIGEST, f"sha256:{uuid4().hex}{uuid4().hex}")
    assert ask_answers(image.CHECK, settings(image=other)) == Finding(state, message)


SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


@given(st.dictionaries(st.sampled_from(SEVERITIES), st.integers(0, 10**6)))
def test_only_critical_vulnerabilities_degrade_and_all_are_counted(counts: dict[str, int]) -> None:
    finding = image.found_in_scan("COMPLETE", counts)
    assert (finding.state is State.DEGRADED) == (counts.get("CRITICAL", 0) > 0)
    assert finding.details == {"scan": "COMPLETE"} | {
        severity.lower(): count for severity, count in counts.items() if count
    }
    for severity, count in counts.items():
        assert (f"{count} {severity.lower()}" in finding.message) == (count > 0)


def test_of_an_index_the_image_that_runs_here_is_looked_at(ask: Ask, embedded_aws: str, name: str) -> None:
    ecr = aws("ecr", embedded_aws)
    put_image(embedded_aws, name, OTHER_DIGEST)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    other = {"amd64": "arm64", "arm64": "amd64"}[architecture]
    manifests = [
        {"digest": f"sha256:{'12' * 32}", "platform": {"os": "linux", "architecture": other}},
        {"digest": f"sha256:{'34' * 32}", "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": OTHER_DIGEST, "platform": {"os": "linux", "architecture": architecture}},
    ]
    index = f"sha256:{uuid4().hex}{uuid4().hex}"
    ecr.put_image(
        repositoryName=name,
        imageManifest=json.dumps({"mediaType": INDEX_TYPE, "manifests": manifests}),
        imageManifestMediaType=INDEX_TYPE,
        imageTag="index",
        imageDigest=index,
    )
    with_settings = settings(image=f"{IMAGE.partition('/')[0]}/{name}@{index}")
    assert ask(image.CHECK, with_settings).message == "The image is there; it was not scanned yet."
    ecr.start_image_scan(repositoryName=name, imageId={"imageDigest": OTHER_DIGEST})
    assert ask(image.CHECK, with_settings).message == "Vulnerabilities in the image: 1 high."


def test_an_index_without_an_image_for_this_platform_has_none() -> None:
    manifest = {"manifests": [{"digest": DIGEST, "platform": {"os": "linux", "architecture": "s390x"}}]}
    assert image.image_for(manifest, OTHER_DIGEST, "amd64") is None
    assert image.image_for({"manifests": [{"digest": DIGEST}]}, OTHER_DIGEST, "amd64") is None
    assert image.image_for({"layers": []}, OTHER_DIGEST, "amd64") == OTHER_DIGEST


def test_an_image_of_another_registry_is_unknown(ask: Ask) -> None:
    another = f"registry.example/web@{DIGEST}"
    found = ask(image.CHECK, settings(image=another))
    assert found.state is State.UNKNOWN


def test_a_raised_alarm_degrades_and_is_named_without_its_prefix(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    prefix = f"{name}/"
    with_settings = settings(alarms=name)
    assert ask(alarms.CHECK, with_settings).state is State.UNKNOWN
    put_alarms(embedded_aws, prefix, "cpu", "memory", "slow")
    put_alarms(embedded_aws, f"{name}-api/", "cpu")
    raise_alarm(embedded_aws, f"{name}-api/cpu")
    assert ask(alarms.CHECK, with_settings).message == "No alarm is raised, of 3."
    raise_alarm(embedded_aws, f"{prefix}slow")
    raise_alarm(embedded_aws, f"{prefix}cpu")
    raise_alarm(embedded_aws, f"{prefix}memory", "INSUFFICIENT_DATA")
    assert ask(alarms.CHECK, with_settings) == Finding(
        State.DEGRADED, "Raised: cpu, slow.", {"alarms": 3, "raised": 2, "without_data": 1}
    )
    for alarm in ("cpu", "slow"):
        raise_alarm(embedded_aws, f"{prefix}{alarm}", "OK")
    assert ask(alarms.CHECK, with_settings).state is State.OPERATIONAL


def test_many_alarms_are_counted_page_by_page_and_few_are_named(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    names = [f"{number:03}" for number in range(120)]
    put_alarms(embedded_aws, f"{name}/", *names)
    for alarm in names[100:110]:
        raise_alarm(embedded_aws, f"{name}/{alarm}")
    found = ask(alarms.CHECK, settings(alarms=name))
    assert found.message == "Raised: 100, 101, 102, 103, 104 and 5 more."
    assert (found.details["alarms"], found.details["raised"]) == (120, 10)
