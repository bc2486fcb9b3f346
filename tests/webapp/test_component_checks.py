"""What the checks say of services, jobs and stores of an embedded AWS, and of other answers."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.webapp.environment import ACCOUNT_ID, CLUSTER, CREDENTIALS, IMAGE, REGION, environ_of
from tests.webapp.faults import answering, nobody, silence
from tests.webapp.furnishing import aws, put_service, put_table
from webapp.aws import open_clients
from webapp.calls import AwsError, FailureKind
from webapp.checks import CHECKS, cache, database, job, probe, queue, volume, web
from webapp.checks.probe import Answer
from webapp.components import COMPONENTS, Component, Kind
from webapp.schedule import Calendar, Interval
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State

KEEPS = Component(id="status.table", kind=Kind.STORAGE, name="History", group="Page", resource="oaktree-dev")
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DAILY = Calendar(timezone="Europe/Berlin", minutes=(0,), hours=(3,))

Ask = Callable[..., Finding]


@pytest.fixture(scope="module")
def ask(embedded_aws: str) -> Iterator[Ask]:
    """Checks one component against the embedded AWS, with clients as the app has them."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": embedded_aws}).items():
            patch.setenv(name, value)

        async def checked(component: Component, settings: Settings) -> Finding:
            async with AsyncExitStack() as stack:
                clients = await stack.enter_async_context(open_clients(settings))
                return await CHECKS[component.kind].run(clients, component, settings)

        def function(component: Component, url: str | None = None) -> Finding:
            return runner.run(checked(component, settings(component, url)))

        yield function


def settings(component: Component, url: str | None = None) -> Settings:
    listed = COMPONENTS.dump_json((component, KEEPS), exclude_defaults=True).decode()
    probes = {component.id: url} if url else {}
    variables = {"COMPONENTS": listed, "PROBES": json.dumps(probes)}
    return read_settings(environ_of("http://127.0.0.1:9") | variables)


def one(kind: Kind, resource: str, **more: Any) -> Component:
    return Component(
        id=f"things.{kind}", kind=kind, name=str(kind), group="Things", resource=resource, **more
    )


def failing(ask: Ask, component: Component) -> FailureKind:
    with pytest.raises(AwsError) as raised:
        ask(component)
    return raised.value.kind


@pytest.fixture
def name() -> str:
    return f"oaktree-{uuid4().hex[:8]}"


def test_a_queue_counts_what_waits_and_dead_letters_degrade_it(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    sqs = aws("sqs", embedded_aws)
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}"
    component = one(Kind.QUEUE, url, dead_letters=f"{url}-dlq")
    assert failing(ask, component) is FailureKind.MISSING
    created = sqs.create_queue(QueueName=name)["QueueUrl"]
    assert failing(ask, component) is FailureKind.MISSING
    letters = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    for text in "abc":
        sqs.send_message(QueueUrl=created, MessageBody=text)
    sqs.receive_message(QueueUrl=created, MaxNumberOfMessages=1)
    assert ask(component) == Finding(
        State.OPERATIONAL,
        "Messages: 2 waiting, 1 in flight.",
        {"waiting": 2, "in_flight": 1, "dead_letters": 0},
    )
    sqs.send_message(QueueUrl=letters, MessageBody="d")
    found = ask(component)
    assert (found.state, found.details["dead_letters"]) == (State.DEGRADED, 1)
    assert found.message.endswith("In the dead-letter queue: 1.")


def test_nothing_is_said_of_dead_letters_that_nobody_knows_of() -> None:
    assert queue.found(0, 0, None) == Finding(
        State.OPERATIONAL,
        "Messages: 0 waiting, 0 in flight.",
        {"waiting": 0, "in_flight": 0, "dead_letters": None},
    )


def test_a_topic_is_there_until_it_is_deleted(ask: Ask, embedded_aws: str, name: str) -> None:
    sns = aws("sns", embedded_aws)
    component = one(Kind.TOPIC, f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{name}")
    assert failing(ask, component) is FailureKind.MISSING
    sns.create_topic(Name=name)
    assert ask(component).message == "Subscriptions: 0 confirmed, 0 pending."


def test_a_bucket_is_there_until_it_is_deleted(ask: Ask, embedded_aws: str, name: str) -> None:
    component = one(Kind.BUCKET, name)
    assert failing(ask, component) is FailureKind.MISSING
    location = {"LocationConstraint": REGION}
    aws("s3", embedded_aws).create_bucket(Bucket=name, CreateBucketConfiguration=location)
    assert ask(component) == Finding(State.OPERATIONAL, "The bucket answers.")


def test_a_table_is_there_until_it_is_deleted(ask: Ask, embedded_aws: str, name: str) -> None:
    component = one(Kind.TABLE, name)
    assert failing(ask, component) is FailureKind.MISSING
    put_table(embedded_aws, name)
    assert ask(component) == Finding(State.OPERATIONAL, "The table is ACTIVE.", {"status": "ACTIVE"})


def test_a_database_is_missing_or_as_rds_says(ask: Ask, embedded_aws: str, name: str) -> None:
    component = one(Kind.DATABASE, name)
    assert failing(ask, component) is FailureKind.MISSING
    rds = aws("rds", embedded_aws)
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="shop",
        MasterUserPassword="not-a-secret",
    )
    assert ask(component).state is State.OPERATIONAL
    rds.stop_db_instance(DBInstanceIdentifier=name)
    assert ask(component).state is State.DOWN


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("available", State.OPERATIONAL),
        ("backing-up", State.OPERATIONAL),
        ("rebooting", State.DEGRADED),
        ("storage-full", State.DOWN),
        ("failed", State.DOWN),
        ("new-in-2027", State.UNKNOWN),
    ],
)
def test_the_state_of_a_database_follows_its_status(status: str, state: State) -> None:
    assert database.found(status) == Finding(state, f"The database is {status}.", {"status": status})


def test_a_cache_is_missing_or_as_elasticache_says(ask: Ask, embedded_aws: str, name: str) -> None:
    component = one(Kind.CACHE, name)
    assert failing(ask, component) is FailureKind.MISSING
    aws("elasticache", embedded_aws).create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription="a test",
        Engine="valkey",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=1,
        TransitEncryptionEnabled=True,
    )
    assert ask(component).state is State.OPERATIONAL


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("available", State.OPERATIONAL),
        ("snapshotting", State.OPERATIONAL),
        ("creating", State.DOWN),
        ("create-failed", State.DOWN),
    ],
)
def test_the_state_of_a_cache_follows_its_status(status: str, state: State) -> None:
    group = {"Status": status, "MemberClusters": ["a", "b"]}
    assert cache.found(group) == Finding(state, f"The cache is {status}.", {"status": status, "nodes": 2})


def test_a_volume_is_found_by_its_creation_token(ask: Ask, embedded_aws: str, name: str) -> None:
    component = one(Kind.VOLUME, name)
    assert ask(component) == Finding(State.DOWN, "The file system does not exist.")
    aws("efs", embedded_aws).create_file_system(CreationToken=name)
    assert ask(component).message == "The file system has no mount target, so no task can mount it."


@pytest.mark.parametrize(
    ("status", "targets", "state"),
    [
        ("available", 1, State.OPERATIONAL),
        ("updating", 2, State.OPERATIONAL),
        ("available", 0, State.DOWN),
        ("error", 2, State.DOWN),
        ("deleting", 2, State.DOWN),
    ],
)
def test_the_state_of_a_volume_follows_its_life(status: str, targets: int, state: State) -> None:
    found = volume.found([{"LifeCycleState": status, "NumberOfMountTargets": targets}])
    assert (found.state, found.details) == (state, {"status": status, "mount_targets": targets})


def test_a_worker_tells_of_its_tasks_and_its_queue(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE)
    alone = ask(one(Kind.WORKER, name))
    assert alone.message == "The deployment is complete. Tasks: 1 running, 1 desired."
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}"
    component = one(Kind.WORKER, name, queue=url)
    lost = ask(component)
    assert lost.state is State.OPERATIONAL
    assert lost.message.endswith("SQS does not tell what is in its queue.")
    sqs = aws("sqs", embedded_aws)
    sqs.send_message(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"], MessageBody="a")
    found = ask(component)
    assert found.message.endswith("In its queue: 1 waiting, 0 in flight.")
    assert (found.details["running"], found.details["waiting"]) == (1, 1)


def test_what_is_scaled_to_zero_by_intent_is_operational_and_not_asked(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE, tasks=0)
    told = (State.OPERATIONAL, "It is scaled to zero. Tasks: 0 running, 0 desired.")
    for kind in (Kind.WORKER, Kind.WEB):
        with nobody() as url:
            found = ask(one(kind, name), f"{url}/")
        assert (found.state, found.message) == told


def test_a_web_service_is_as_good_as_its_answer(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE)
    component = one(Kind.WEB, name, statuses="200,204")
    tasks = "The deployment is complete. Tasks: 1 running, 1 desired."
    with answering(200) as server:
        good = ask(component, f"{server.url}/health")
        assert (good.state, good.message) == (State.OPERATIONAL, f"It answers 200. {tasks}")
        assert good.latency_ms is not None
        assert good.details["http_status"] == 200
        server.status = 503
        bad = ask(component, f"{server.url}/health")
    assert (bad.state, bad.message) == (State.DOWN, f"It answers 503, not 200,204. {tasks}")
    with nobody() as url:
        gone = ask(component, f"{url}/health")
    assert (gone.state, gone.message) == (State.DOWN, f"It does not answer. {tasks}")
    assert gone.details["http_status"] is None
    unasked = ask(component)
    assert (unasked.state, unasked.message) == (State.OPERATIONAL, f"{tasks} It is not asked over HTTP.")


def test_a_service_that_answers_is_operational_whatever_aws_tells(ask: Ask, name: str) -> None:
    component = Component(id="things.web", kind=Kind.WEB, name="Web", group="Things", resource=name)
    with answering(200) as server:
        found = ask(component, f"{server.url}/")
    assert (found.state, found.message) == (State.DOWN, "The service does not exist.")
    lost = web.together(Finding(State.OPERATIONAL, "ECS does not tell."), None, answer(State.OPERATIONAL))
    assert lost.state is State.OPERATIONAL


def test_the_app_itself_needs_no_question(ask: Ask, embedded_aws: str, name: str) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE)
    itself = Component(id="services.web", kind=Kind.WEB, name="Page", group="Things", resource=name)
    found = ask(itself)
    assert (found.state, found.latency_ms) == (State.OPERATIONAL, None)
    assert found.message.startswith("It shows this page. ")


def test_one_that_does_not_answer_in_time_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr(probe, "SECONDS", 0.2)

    async def asked(url: str) -> Answer:
        async with aiohttp.ClientSession() as http:
            return await probe.ask(http, url, "200")

    with silence() as server:
        found = asyncio.run(asked(f"{server.url}/"))
    assert (found.state, found.message) == (State.DOWN, "It does not answer within 0.2 s.")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    assert probe.accepts("200-399", 302)
    assert not probe.accepts("200", 302)
    assert probe.accepts("200,301-302", 302)


def answer(state: State) -> Answer:
    return Answer(state, "It answers 200.", 200, 12.5)


@pytest.mark.parametrize(
    ("states", "state", "targets", "healthy"),
    [
        (["healthy", "healthy"], State.OPERATIONAL, 2, 2),
        (["healthy", "unhealthy"], State.DEGRADED, 2, 1),
        (["unhealthy", "unhealthy"], State.DOWN, 2, 0),
        (["healthy", "initial"], State.OPERATIONAL, 2, 1),
        (["initial"], State.UNKNOWN, 1, 0),
        (["healthy", "draining"], State.OPERATIONAL, 1, 1),
        (["draining"], State.UNKNOWN, 0, 0),
        ([], State.UNKNOWN, 0, 0),
    ],
)
def test_the_state_of_targets_follows_their_health(
    states: list[str], state: State, targets: int, healthy: int
) -> None:
    found = web.found_in_targets(states)
    assert found.state is state
    assert found.details == {"targets": targets, "healthy_targets": healthy}


@pytest.mark.parametrize(
    ("tasks", "targets", "answered", "state"),
    [
        (State.OPERATIONAL, State.OPERATIONAL, State.OPERATIONAL, State.OPERATIONAL),
        (State.OPERATIONAL, State.DEGRADED, State.OPERATIONAL, State.DEGRADED),
        (State.DEGRADED, State.OPERATIONAL, State.OPERATIONAL, State.DEGRADED),
        (State.OPERATIONAL, State.OPERATIONAL, State.DOWN, State.DOWN),
        # What answers is there, whatever AWS does not know of it yet.
        (State.OPERATIONAL, State.UNKNOWN, State.OPERATIONAL, State.OPERATIONAL),
        (State.UNKNOWN, State.UNKNOWN, State.OPERATIONAL, State.OPERATIONAL),
        (State.OPERATIONAL, State.UNKNOWN, None, State.UNKNOWN),
        (State.UNKNOWN, None, None, State.UNKNOWN),
        (State.OPERATIONAL, None, None, State.OPERATIONAL),
    ],
)
def test_tasks_targets_and_answer_give_one_state(
    tasks: State, targets: State | None, answered: State | None, state: State
) -> None:
    found = web.together(
        Finding(tasks, "Tasks."),
        Finding(targets, "Targets.") if targets else None,
        answer(answered) if answered else None,
    )
    assert found.state is state
    assert found.latency_ms == (12.5 if answered else None)


def run(status: str, began: datetime, seconds: float | None = 12.0) -> dict[str, Any]:
    """An execution as Step Functions lists it."""
    ended = {"stopDate": began + timedelta(seconds=seconds)} if seconds is not None else {}
    return {"status": status, "startDate": began, **ended}


THREE = datetime(2026, 11, 27, 2, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("executions", "state", "message"),
    [
        ([], State.UNKNOWN, "No run is known yet. Next run: 2026-11-28 02:00 UTC."),
        (
            [run("SUCCEEDED", THREE)],
            State.OPERATIONAL,
            "The run of 2026-11-27 02:00 UTC succeeded, after 12 s. Next run: 2026-11-28 02:00 UTC.",
        ),
        (
            [run("FAILED", THREE), run("SUCCEEDED", THREE - timedelta(days=1))],
            State.DEGRADED,
            "The run of 2026-11-27 02:00 UTC failed, after 12 s. Next run: 2026-11-28 02:00 UTC.",
        ),
        (
            [run("TIMED_OUT", THREE)],
            State.DEGRADED,
            "The run of 2026-11-27 02:00 UTC took too long, after 12 s.",
        ),
        ([run("ABORTED", THREE)], State.DEGRADED, "The run of 2026-11-27 02:00 UTC was stopped, after 12 s."),
        (
            [run("RUNNING", NOON, None), run("SUCCEEDED", THREE)],
            State.OPERATIONAL,
            "A run is in progress since 2026-11-27 12:00 UTC. The run of 2026-11-27 02:00 UTC succ",
        ),
        ([run("RUNNING", NOON, None)], State.OPERATIONAL, "A run is in progress since 2026-11-27 12:00 UTC."),
        (
            [run("SUCCEEDED", THREE - timedelta(days=1))],
            State.DEGRADED,
            "The run that was due 2026-11-27 02:00 UTC has not begun. The run of 2026-11-26 02:00 UTC suc",
        ),
    ],
)
def test_a_job_is_as_good_as_its_last_run(
    executions: list[dict[str, Any]], state: State, message: str
) -> None:
    found = job.found(executions, DAILY, NOON)
    assert found.state is state
    assert found.message.startswith(message)
    assert found.details["next_run"] == "2026-11-28T02:00:00Z"


def test_a_run_that_was_just_due_is_not_missed_yet() -> None:
    now = datetime(2026, 11, 27, 2, 4, tzinfo=UTC)
    found = job.found([run("SUCCEEDED", THREE - timedelta(days=1))], DAILY, now)
    assert found.state is State.OPERATIONAL


def test_nobody_knows_when_an_interval_comes_next() -> None:
    found = job.found([run("SUCCEEDED", THREE)], Interval(seconds=60), NOON)
    assert (found.state, found.details["next_run"]) == (State.OPERATIONAL, None)
    assert found.message == "The run of 2026-11-27 02:00 UTC succeeded, after 12 s."


def test_a_schedule_that_is_over_has_no_next_run() -> None:
    over = Calendar(timezone="Etc/UTC", minutes=(0,), hours=(0,), years=(2025,))
    assert over.next_run(NOON) is None
    assert job.found([], over, NOON).message == "No run is known yet."


def test_a_jobs_state_machine_is_missing_or_lists_its_runs(ask: Ask, embedded_aws: str, name: str) -> None:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{name}"
    component = one(Kind.JOB, arn, schedule=DAILY)
    assert failing(ask, component) is FailureKind.MISSING
    role = aws("iam", embedded_aws).create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"Service": "states.amazonaws.com"},
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    sfn = aws("stepfunctions", embedded_aws)
    sfn.create_state_machine(name=name, roleArn=role, definition=json.dumps(definition))
    assert ask(component).state is State.UNKNOWN
    sfn.start_execution(stateMachineArn=arn)
    assert ask(component).message.startswith("A run is in progress since ")
