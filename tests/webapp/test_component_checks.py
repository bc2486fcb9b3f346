"""What the checks say of services, jobs and stores of an embedded AWS, and of other answers."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

import pytest

from tests.serving import serving
from tests.webapp.environment import ACCOUNT_ID, CLUSTER, CREDENTIALS, IMAGE, REGION, environ_of
from tests.webapp.faults import PatientServer, answering, aws_error, nobody, silence
from tests.webapp.furnishing import aws, put_service, put_table
from webapp.aws import open_clients
from webapp.calls import AwsError, FailureKind
from webapp.checks import CHECKS, job, probe, queue, stores, web, worker
from webapp.checks.probe import Answer
from webapp.components import COMPONENTS, Component, Kind
from webapp.schedule import Calendar, Interval
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State
from webapp.status import overdue_after

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

        def function(component: Component, url: str | None = None, *others: Component) -> Finding:
            return runner.run(checked(component, settings(component, url, *others)))

        yield function


def settings(component: Component, url: str | None = None, *others: Component) -> Settings:
    listed = COMPONENTS.dump_json((component, KEEPS, *others), exclude_defaults=True).decode()
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
        {"waiting": 2, "in_flight": 1, "dead_letters": 0, "age": None},
    )
    sqs.send_message(QueueUrl=letters, MessageBody="d")
    found = ask(component)
    assert (found.state, found.details["dead_letters"]) == (State.DEGRADED, 1)
    assert found.message.endswith("In the dead-letter queue: 1.")


def test_nothing_is_said_of_dead_letters_that_nobody_knows_of() -> None:
    assert queue.found(0, 0, None, "OK") == Finding(
        State.OPERATIONAL,
        "Messages: 0 waiting, 0 in flight.",
        {"waiting": 0, "in_flight": 0, "dead_letters": None, "age": "OK"},
    )


def test_messages_that_wait_for_too_long_degrade_a_queue_and_its_worker(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    aws("sqs", embedded_aws).create_queue(QueueName=name)
    put_service(embedded_aws, CLUSTER, name, IMAGE)
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}"
    orders = one(Kind.QUEUE, url)
    works = one(Kind.WORKER, name, queue=url)
    everything = one(Kind.ALARMS, name)
    assert [ask(orders, None, everything).details["age"], ask(works, None, orders).details["age"]] == [
        None
    ] * 2
    cloudwatch = aws("cloudwatch", embedded_aws)
    alarm = f"{name}/{orders.id}/old-messages"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=5,
        Threshold=900,
        ComparisonOperator="GreaterThanThreshold",
    )
    for state, seen in (("OK", State.OPERATIONAL), ("ALARM", State.DEGRADED)):
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="for the test")
        for found in (ask(orders, None, everything), ask(works, None, orders, everything)):
            assert (found.state, found.details["age"]) == (seen, state)
            assert found.message.endswith(queue.TOO_OLD) == (seen is State.DEGRADED)


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


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("UPDATING", State.OPERATIONAL),
        ("DELETING", State.DOWN),
        ("ARCHIVED", State.DOWN),
        ("NEW_IN_2027", State.UNKNOWN),
    ],
)
def test_the_state_of_a_table_follows_its_status(status: str, state: State) -> None:
    assert stores.found_table(status) == Finding(state, f"The table is {status}.", {"status": status})


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
        ("delete-precheck", State.OPERATIONAL),
        ("rebooting", State.DEGRADED),
        ("converting-to-vpc", State.DEGRADED),
        ("storage-full", State.DOWN),
        ("failed", State.DOWN),
        ("new-in-2027", State.UNKNOWN),
    ],
)
def test_the_state_of_a_database_follows_its_status(status: str, state: State) -> None:
    assert stores.found_database(status) == Finding(state, f"The database is {status}.", {"status": status})


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
        ("new-in-2027", State.UNKNOWN),
    ],
)
def test_the_state_of_a_cache_follows_its_status(status: str, state: State) -> None:
    group = {"Status": status, "MemberClusters": ["a", "b"]}
    assert stores.found_cache(group) == Finding(
        state, f"The cache is {status}.", {"status": status, "nodes": 2}
    )


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
        ("new-in-2027", 2, State.UNKNOWN),
    ],
)
def test_the_state_of_a_volume_follows_its_life(status: str, targets: int, state: State) -> None:
    found = stores.found_volume([{"LifeCycleState": status, "NumberOfMountTargets": targets}])
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
    for component in (one(Kind.WORKER, name), one(Kind.WEB, name, rests=True)):
        with nobody() as url:
            found = ask(component, f"{url}/")
        assert (found.state, found.message) == told


def test_a_web_service_without_a_task_is_as_its_visitors_find_it(
    ask: Ask, embedded_aws: str, name: str
) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE, tasks=0)
    component = one(Kind.WEB, name, statuses="200")
    with answering(503) as server:
        refused = ask(component, f"{server.url}/")
        server.status = 200
        answered = ask(component, f"{server.url}/")
    assert (refused.state, refused.message) == (
        State.DOWN,
        "It answers 503, not 200. No task is desired.",
    )
    assert (refused.details["desired"], refused.details["http_status"]) == (0, 503)
    assert (answered.state, answered.message) == (
        State.OPERATIONAL,
        "It answers 200. No task is desired.",
    )
    unasked = ask(component)
    assert (unasked.state, unasked.message) == (
        State.DOWN,
        "No task is desired. It is not asked over HTTP.",
    )


def test_messages_that_nobody_works_on_degrade_a_worker_after_minutes(
    ask: Ask, embedded_aws: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_service(embedded_aws, CLUSTER, name, IMAGE, tasks=0)
    sqs = aws("sqs", embedded_aws)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    component = one(Kind.WORKER, name, queue=f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{name}")
    assert ask(component).state is State.OPERATIONAL
    sqs.send_message(QueueUrl=url, MessageBody="a")
    assert ask(component).state is State.OPERATIONAL
    monkeypatch.setattr(worker, "_SCALING", timedelta(0))
    found = ask(component)
    assert (found.state, found.details["waiting"]) == (State.DEGRADED, 1)
    assert found.message.startswith("Messages wait for 0 minutes, and no task is desired. It is scaled to ")
    aws("ecs", embedded_aws).update_service(cluster=CLUSTER, service=name, desiredCount=1)
    assert ask(component).state is State.OPERATIONAL


@pytest.mark.parametrize(
    ("tasks", "minutes", "state"),
    [
        (State.OPERATIONAL, None, State.OPERATIONAL),
        (State.OPERATIONAL, 4, State.OPERATIONAL),
        (State.OPERATIONAL, 5, State.DEGRADED),
        (State.DOWN, 5, State.DOWN),
    ],
)
def test_scaling_from_zero_takes_minutes_and_is_no_problem(
    tasks: State, minutes: int | None, state: State
) -> None:
    waited = None if minutes is None else timedelta(minutes=minutes)
    found = worker.with_messages(Finding(tasks, "Tasks."), 3, 0, None, waited)
    assert found.state is state
    assert found.message.endswith("Tasks. In its queue: 3 waiting, 0 in flight.")


def test_a_slow_aws_does_not_hide_a_good_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_AWS_SECONDS", 0.2)
    with answering(200) as server, silence() as slow:
        found = asked_with(slow.url, f"{server.url}/")
        assert (found.state, found.message) == (
            State.OPERATIONAL,
            "It answers 200. ECS does not tell how its tasks are.",
        )
        server.status = 503
        refused = asked_with(slow.url, f"{server.url}/")
    assert (refused.state, refused.message) == (
        State.DOWN,
        "It answers 503, not 200-499. ECS does not tell how its tasks are.",
    )


def test_a_service_that_does_not_answer_is_down_without_aws_unless_the_network_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering(400, aws_error("ThrottlingException")) as throttled, nobody() as url:
        assert asked_with(throttled.url, f"{url}/").state is State.DOWN
    monkeypatch.setattr(web, "_AWS_SECONDS", 0.2)
    with silence() as slow, nobody() as url:
        with pytest.raises(AwsError) as raised:
            asked_with(slow.url, f"{url}/")
        assert raised.value.kind is FailureKind.TIMEOUT
        assert raised.value.finding is not None
        assert raised.value.finding.state is State.DOWN
        with pytest.raises(AwsError) as unasked:
            asked_with(slow.url)
        assert unasked.value.finding is None


def asked_with(aws_url: str, url: str | None = None) -> Finding:
    """What the check of a web service says, with AWS at an address."""
    component = one(Kind.WEB, "oaktree-dev-web")

    async def checked() -> Finding:
        async with open_clients(settings(component, url)) as clients:
            return await web.CHECK.run(clients, component, settings(component, url))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": aws_url}).items():
            patch.setenv(name, value)
        return asyncio.run(checked())


def test_probes_keep_no_cookies() -> None:
    class Sticky(BaseHTTPRequestHandler):
        cookies: list[str | None] = []  # noqa: RUF012  # of all requests

        def do_GET(self) -> None:
            self.cookies.append(self.headers.get("Cookie"))
            self.send_response(200)
            self.send_header("Set-Cookie", "AWSALB=one-target")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keeps quiet."""

    async def ask_twice(url: str) -> None:
        async with open_clients(settings(one(Kind.WEB, "web"))) as clients:
            for _ in range(2):
                await probe.ask(clients.http, url, "200")

    server = PatientServer(("localhost", 0), Sticky)
    with serving(server):
        # A cookie of an address is never kept, one of a name is.
        asyncio.run(ask_twice(f"http://localhost:{server.server_port}/"))
    assert Sticky.cookies == [None, None]


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


def test_an_answer_tells_how_the_call_to_aws_failed_all_the_same(
    ask: Ask, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(*_: object) -> None:
        raise AwsError("ecs:DescribeServices", FailureKind.ENDPOINT_UNREACHABLE)

    monkeypatch.setattr("webapp.checks.tasks.look", look)
    with answering(200) as server:
        found = ask(one(Kind.WEB, name), f"{server.url}/")
    assert (found.state, found.failure) == (State.OPERATIONAL, FailureKind.ENDPOINT_UNREACHABLE)
    assert found.message == "It answers 200. ECS does not tell how its tasks are."


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


def daily(**more: Any) -> Component:
    """A job with a schedule, of every day unless another is given."""
    return one(Kind.JOB, "arn", **{"schedule": DAILY, **more})


LONG_AGO = NOON - timedelta(days=100)
THREE = datetime(2026, 11, 27, 2, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("executions", "state", "message"),
    [
        (
            [],
            State.DEGRADED,
            "The run that was due 2026-08-20 01:00 UTC has not begun. It has not run yet, or not in the last",
        ),
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
    found = job.found(executions, daily(), LONG_AGO, NOON)
    assert found.state is state
    assert found.message.startswith(message)
    assert found.details["next_run"] == "2026-11-28T02:00:00Z"


def test_a_run_that_was_just_due_is_not_missed_yet() -> None:
    now = datetime(2026, 11, 27, 2, 4, tzinfo=UTC)
    found = job.found([run("SUCCEEDED", THREE - timedelta(days=1))], daily(), LONG_AGO, now)
    assert found.state is State.OPERATIONAL


@pytest.mark.parametrize(
    ("minutes", "state", "message"),
    [
        (64, State.OPERATIONAL, "The run of 2026-11-27 02:00 UTC succeeded, after 12 s."),
        (
            66,
            State.DEGRADED,
            "The run that was due 2026-11-27 03:00 UTC has not begun. The run of 2026-11-27 02:00 UTC succ",
        ),
    ],
)
def test_a_run_of_an_interval_is_late_an_interval_and_some_minutes_after_the_last(
    minutes: int, state: State, message: str
) -> None:
    now = THREE + timedelta(minutes=minutes)
    hourly = daily(schedule=Interval(seconds=3600))
    found = job.found([run("SUCCEEDED", THREE)], hourly, LONG_AGO, now)
    assert found.state is state
    assert found.message.startswith(message)
    assert found.details["next_run"] is None


@pytest.mark.parametrize("schedule", [DAILY, Interval(seconds=24 * 3600)])
@pytest.mark.parametrize(
    ("hours", "state"), [(0, State.OPERATIONAL), (13, State.OPERATIONAL), (25, State.DEGRADED)]
)
@pytest.mark.parametrize("executions", [[], [run("SUCCEEDED", THREE - timedelta(days=5))]])
def test_only_what_was_due_since_the_app_started_is_late(
    schedule: Calendar | Interval, hours: int, state: State, executions: list[dict[str, Any]]
) -> None:
    found = job.found(executions, daily(schedule=schedule), NOON, NOON + timedelta(hours=hours))
    assert found.state is state
    assert found.message.startswith("The run that was due ") is (state is State.DEGRADED)
    assert ("It has not run yet, or not in the last 90 days." in found.message) is (not executions)


def test_a_run_that_is_skipped_hides_neither_the_last_result_nor_the_run_in_progress() -> None:
    minute = timedelta(minutes=1)
    failed = run("FAILED", THREE - minute, 12)
    skipped = [run("SUCCEEDED", THREE + number * minute, 0.3) for number in range(1, 15)]
    executions = [*reversed(skipped), run("RUNNING", THREE, None), failed]
    every_minute = daily(schedule=Interval(seconds=60))
    found = job.found(executions, every_minute, LONG_AGO, THREE + 15 * minute)
    assert found.state is State.DEGRADED
    assert found.message == (
        "A run is in progress since 2026-11-27 02:00 UTC. Runs skipped meanwhile: 14. "
        "The run of 2026-11-27 01:59 UTC failed, after 12 s."
    )
    assert found.details == {
        "next_run": None,
        "last_run": "2026-11-27T02:00:03Z",
        "result": "FAILED",
        "seconds": 12.0,
        "skipped": 14,
    }
    # Ended, it is the last run, whatever was skipped after it had begun.
    ended = [*reversed(skipped), run("FAILED", THREE, 14.5 * 60), failed]
    last = job.found(ended, every_minute, LONG_AGO, THREE + 15 * minute)
    assert (last.state, last.message) == (
        State.DEGRADED,
        "The run of 2026-11-27 02:00 UTC failed, after 870 s.",
    )


def test_runs_that_overlap_by_intent_count_and_so_do_those_that_fail_or_begin_as_another_ends() -> None:
    minute = timedelta(minutes=1)
    overlapping = [run("SUCCEEDED", THREE + minute, 12), run("FAILED", THREE, 3600)]
    now = THREE + timedelta(hours=2)
    assert job.found(overlapping, daily(overlaps=True), LONG_AGO, now).state is State.OPERATIONAL
    assert job.found(overlapping, daily(), LONG_AGO, now).state is State.DEGRADED
    both = [run("FAILED", THREE + minute, 0.3), run("SUCCEEDED", THREE, 3600)]
    assert job.found(both, daily(), LONG_AGO, now).state is State.DEGRADED
    next_to = [run("SUCCEEDED", THREE + minute, 40), run("FAILED", THREE, 60.2)]
    assert job.found(next_to, daily(), LONG_AGO, now).state is State.OPERATIONAL


def test_a_run_in_progress_that_is_older_than_the_latest_executions_is_found(
    ask: Ask, embedded_aws: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = put_state_machine(embedded_aws, name)
    sfn = aws("stepfunctions", embedded_aws)
    runs = [sfn.start_execution(stateMachineArn=arn) for _ in range(4)]
    monkeypatch.setattr(job, "_LATEST", 3)
    component = one(Kind.JOB, arn, schedule=DAILY)
    found = ask(component)
    began = min(each["startDate"] for each in runs)
    assert found.details["last_run"] is not None
    assert found.message.startswith(f"A run is in progress since {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC.")
    assert found.details["skipped"] == 3


def test_jobs_are_checked_every_minute_at_most() -> None:
    with_job = settings(daily())
    assert [with_job.interval_of(each) for each in with_job.watched.values()] == [60, 15]
    assert [overdue_after(each, with_job) for each in with_job.watched.values()] == [125, 35]


def test_a_schedule_that_is_over_has_no_next_run() -> None:
    over = Calendar(timezone="Etc/UTC", minutes=(0,), hours=(0,), years=(2025,))
    assert over.next_run(NOON) is None
    found = job.found([], daily(schedule=over), LONG_AGO, NOON)
    assert (found.state, found.message) == (
        State.OPERATIONAL,
        "It has not run yet, or not in the last 90 days.",
    )


def test_a_jobs_state_machine_is_missing_or_lists_its_runs(ask: Ask, embedded_aws: str, name: str) -> None:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{name}"
    component = one(Kind.JOB, arn, schedule=DAILY)
    assert failing(ask, component) is FailureKind.MISSING
    put_state_machine(embedded_aws, name)
    assert ask(component).state is State.OPERATIONAL
    aws("stepfunctions", embedded_aws).start_execution(stateMachineArn=arn)
    assert ask(component).message.startswith("A run is in progress since ")


def put_state_machine(embedded_aws: str, name: str) -> str:
    """A state machine; returns its ARN."""
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
    created = aws("stepfunctions", embedded_aws).create_state_machine(
        name=name, roleArn=role, definition=json.dumps(definition)
    )
    return str(created["stateMachineArn"])
