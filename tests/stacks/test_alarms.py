"""The alarms of an environment: of which metrics, when they are raised, and who is notified."""

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks import watched, watched_stores
from stacks.alarm_settings import UNHEALTHY, AlarmName, Alarms, Thresholds
from stacks.constructs import alarms as construct
from stacks.metrics import CHARTS, Chart, Metric
from stacks.problems import QuotaError
from stacks.reading import read_platform
from stacks.schedules import Cron, longest_gap, parse, time_zone
from stacks.watched import Alarm, Watched, look_back
from tests.places import ENVIRONMENTS
from tests.stacks.alarm_stack import SETTINGS, alarm_stack
from tests.stacks.documented_metrics import problem_with
from tests.stacks.job_stack import KEY, NAME, job_stack
from tests.stacks.platform_files import PROJECT, environment, errors_of, write_platform
from tests.stacks.terraform_json import Stack

LIMITS = Thresholds()

EVERYTHING: Mapping[str, Watched] = {
    "balancer": watched.balancer(LIMITS, "app/a/1"),
    "requests": watched.requests(LIMITS, "app/a/1", "targetgroup/b/2", "breaching"),
    "no requests": watched.no_requests("cluster", "service", "breaching"),
    "tasks": watched.tasks(LIMITS, "cluster", "service"),
    "cluster": watched.cluster("cluster"),
    "job": watched.job("arn:aws:states:::stateMachine:a", "letters", timedelta(hours=25)),
    "NAT gateway": watched.nat_gateway("nat-1"),
    "log group": watched.log_group("/oaktree/dev/web"),
    "queue": watched_stores.queue(LIMITS, "orders", "orders-dlq"),
    "database": watched_stores.database(LIMITS, "shop"),
    "table": watched_stores.table(LIMITS, "sessions"),
    "index": watched_stores.index(LIMITS, "sessions", "by-user"),
    "rotation": watched_stores.rotation("arn:aws:states:eu-central-1:111111111111:stateMachine:shop-rotated"),
    "cache": watched_stores.cache(LIMITS, "carts-001"),
}
"""Every kind of resource as it is watched."""


def metrics(found: Watched) -> Iterator[Metric]:
    yield from (metric for alarm in found.alarms for metric in alarm.metrics)
    yield from (metric for _, metric in found.lines)


@pytest.mark.parametrize("kind", EVERYTHING)
def test_every_metric_is_one_that_aws_documents(kind: str) -> None:
    assert [problem for metric in metrics(EVERYTHING[kind]) if (problem := problem_with(metric))] == []


def test_every_alarm_that_the_settings_can_name_is_there_and_every_chart_has_lines() -> None:
    alarms = {alarm.name for found in EVERYTHING.values() for alarm in found.alarms}
    assert alarms == set(get_args(AlarmName))
    charts = {chart for found in EVERYTHING.values() for chart, _ in found.lines}
    assert charts == set(Chart) == {chart for shown in CHARTS.values() for chart in shown}


def test_an_alarm_has_room_in_what_cloudwatch_evaluates() -> None:
    """Sources: CloudWatch API Reference, PutMetricAlarm (Period); CloudWatch User Guide, "Create an alarm
    based on a metric math expression" (ten metrics)."""
    for alarm in (alarm for found in EVERYTHING.values() for alarm in found.alarms):
        assert alarm.seconds * alarm.periods <= (86_400 if alarm.seconds < 3600 else 604_800)
        assert 1 <= len(alarm.metrics) <= 10


BREACHING = {"no-healthy-task", "no-running-task", "missing-run"}


def test_no_data_is_a_fault_only_where_what_is_counted_has_to_be_there() -> None:
    alarms = [alarm for each in EVERYTHING.values() for alarm in each.alarms]
    assert {alarm.name for alarm in alarms if alarm.missing == "breaching"} == BREACHING


def test_only_what_a_deployment_can_have_broken_undoes_it() -> None:
    found = [
        (kind, alarm.name)
        for kind, each in EVERYTHING.items()
        for alarm in each.alarms
        if alarm.undoes_deployment
    ]
    assert found == [("requests", "server-errors"), ("requests", "unhealthy-tasks")]


def by_name(found: Watched) -> dict[str, Alarm]:
    return {alarm.name: alarm for alarm in found.alarms}


def test_the_thresholds_are_those_of_the_settings() -> None:
    other = Thresholds(
        server_errors=1,
        balancer_errors=2,
        answer_seconds=3.5,
        cpu_percent=4,
        memory_percent=5,
        queue_seconds=60,
        database_cpu_percent=7,
        database_free_gib=0.5,
        database_connections=9,
        table_throttles=10,
        cache_cpu_percent=11,
        cache_memory_percent=12,
        cache_evictions=13,
    )
    found = {
        **{
            f"request {name}": each
            for name, each in by_name(watched.requests(other, "a", "b", "breaching")).items()
        },
        **{f"balancer {name}": each for name, each in by_name(watched.balancer(other, "a")).items()},
        **{f"task {name}": each for name, each in by_name(watched.tasks(other, "a", "b")).items()},
        **{f"queue {name}": each for name, each in by_name(watched_stores.queue(other, "a", "b")).items()},
        **{f"database {name}": each for name, each in by_name(watched_stores.database(other, "a")).items()},
        **{f"table {name}": each for name, each in by_name(watched_stores.table(other, "a")).items()},
        **{f"cache {name}": each for name, each in by_name(watched_stores.cache(other, "a")).items()},
    }
    assert {name: alarm.threshold for name, alarm in found.items()} == {
        "request server-errors": 1,
        "request unhealthy-tasks": 0,
        "request no-healthy-task": 1,
        "request slow-answers": 3.5,
        "balancer balancer-errors": 2,
        "task cpu": 4,
        "task memory": 5,
        "queue old-messages": 60,
        "queue dead-letters": 0,
        "database cpu": 7,
        "database free-storage": 2**29,
        "database connections": 9,
        "table throttles": 10,
        "table system-errors": 0,
        "cache cpu": 11,
        "cache memory": 12,
        "cache evictions": 13,
    }
    assert {name for name, alarm in found.items() if alarm.below} == {
        "request no-healthy-task",
        "database free-storage",
    }
    assert "1 minute" in found["queue old-messages"].description
    assert "0.5 GiB" in found["database free-storage"].description


def test_a_service_or_store_may_have_thresholds_of_its_own() -> None:
    found = Alarms.model_validate(
        {
            "thresholds": {"answer_seconds": 2.0, "cpu_percent": 80},
            "exceptions": {"web": {"answer_seconds": 5.0}, "queues.orders": {"queue_seconds": 60}},
        }
    )
    web, other = found.thresholds_of("web"), found.thresholds_of("api")
    assert (web.answer_seconds, web.cpu_percent) == (5.0, 80)
    assert (other.answer_seconds, other.cpu_percent) == (2.0, 80)
    assert found.thresholds_of("queues.orders").queue_seconds == 60


@pytest.mark.parametrize(
    ("alarms", "told"),
    [
        ('emails = ["nobody"]', "alarms.emails.0"),
        ('emails = ["a@b.com", "a@b.com"]', "each value once"),
        ('email = "a@b.com"', "did you mean 'emails'?"),
        ('unhealthy = ["cpu", "gpu"]', "alarms.unhealthy.1"),
        ("exceptions = { wep = { cpu_percent = 50 } }", "a service or store; known here: tables.status, web"),
        ("exceptions = { web = { cpu = 50 } }", "unknown key; known here: answer_seconds"),
        ('exceptions = { "Web" = { cpu_percent = 50 } }', 'a store such as "queues.orders"'),
        ("thresholds = { cpu_percent = 0 }", "must be at least 1"),
        ('slack = { workspace_id = "T1" }', "alarms.slack.channel_id: is required"),
        ("exceptions = { web = { queue_seconds = 3 } }", "leave it out: web has no such threshold, only"),
        ('slack = { workspace_id = "t-1", channel_id = "C1" }', 'a workspace id such as "T0123ABCDEF"'),
        ('teams = { tenant_id = "1", team_id = "2", channel_id = "3" }', "alarms.teams.tenant_id"),
    ],
)
def test_alarms_that_cannot_be_are_told_with_what_is_allowed(tmp_path: Path, alarms: str, told: str) -> None:
    write_platform(tmp_path, dev=environment() + f"[alarms]\n{alarms}\n")
    assert any(told in error for error in errors_of(tmp_path)), errors_of(tmp_path)


def test_a_chat_channel_belongs_to_one_environment_of_an_account(tmp_path: Path) -> None:
    slack = '[alarms.slack]\nworkspace_id = "T0123ABCDEF"\nchannel_id = "C0123ABCDEF"\n'
    other = environment().replace("10.10.", "10.20.") + slack
    found = errors_of(write_platform(tmp_path, dev=environment() + slack, staging=other))
    assert found == [
        (
            'staging.toml: alarms.slack.channel_id = "C0123ABCDEF": a channel of its own: AWS knows one '
            "of an account once, and dev.toml has it"
        )
    ]


def test_an_exception_for_all_environments_may_name_what_one_has_disabled(tmp_path: Path) -> None:
    shared = "[alarms.exceptions]\nextra = { cpu_percent = 50 }\n[services.extra]\nkind = 'worker'\n"
    shared += "dockerfile = 'Dockerfile'\n"
    dev = environment() + "[services.extra]\nenabled = false\n"
    platform = read_platform(write_platform(tmp_path, PROJECT + shared, dev=dev))
    assert list(platform.environments["dev"].services) == ["web"]


# --- runs that are missing


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("rate(5 minutes)", timedelta(minutes=5)),
        ("0 3 * * *", timedelta(hours=25)),
        # The clock skips half past two in spring.
        ("30 2 * * *", timedelta(hours=47)),
        ("0 3 * * 1-5", timedelta(days=3, hours=1)),
        ("10,20,50 3 * * *", timedelta(hours=24, minutes=20)),
        ("@weekly", timedelta(days=7, hours=1)),
        ("@yearly", timedelta(days=366)),
        ("cron(0 3 * * ? 2027-2029)", None),
    ],
)
def test_the_longest_gap_of_a_schedule(schedule: str, gap: timedelta | None) -> None:
    assert longest_gap(schedule, time_zone("Europe/Berlin")) == gap


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("*/15 * * * *", timedelta(minutes=15)),
        ("* * * * *", timedelta(minutes=1)),
        ("0,30 * * * *", timedelta(minutes=30)),
        ("cron(15,45 * * * ? *)", timedelta(minutes=30)),
        # From the end of June to the new year.
        ("cron(0 3 * 1-6 ? *)", timedelta(days=185)),
    ],
)
def test_the_longest_gap_is_also_that_between_hours_and_over_new_year(schedule: str, gap: timedelta) -> None:
    assert longest_gap(schedule, time_zone("Etc/UTC")) == gap


HOURS = st.sets(st.integers(0, 23), min_size=1, max_size=4)
MINUTES = st.sets(st.integers(0, 59), min_size=1, max_size=4)


@settings(max_examples=25)
@given(minutes=MINUTES, hours=HOURS, days=st.sets(st.integers(0, 6), max_size=3))
def test_no_two_runs_are_further_apart_than_the_longest_gap(
    minutes: set[int], hours: set[int], days: set[int]
) -> None:
    listed = (",".join(map(str, sorted(each))) or "*" for each in (minutes, hours, days))
    minute, hour, day = listed
    text, zone = f"{minute} {hour} * * {day}", time_zone("America/New_York")
    gap = longest_gap(text, zone)
    schedule = parse(text)
    assert isinstance(schedule, Cron)
    runs = itertools.islice(schedule.runs(zone, datetime(2028, 2, 1, tzinfo=UTC)), 800)
    assert gap
    assert all(later.astimezone(UTC) - run.astimezone(UTC) <= gap for run, later in itertools.pairwise(runs))


@given(wait=st.timedeltas(timedelta(seconds=1), timedelta(days=8)), offset=st.integers(0, 3599))
def test_a_wait_that_is_allowed_leaves_no_alarm_raised(wait: timedelta, offset: int) -> None:
    """Two successes that are `wait` apart never leave as many whole periods empty as the alarm looks at."""
    window = look_back(wait)
    if window is None:
        assert wait > timedelta(days=6, hours=22)
        return
    seconds, periods = window
    first, second = offset // seconds, int(offset + wait.total_seconds()) // seconds
    assert second - first - 1 < periods
    # Late by no more than two periods.
    assert seconds * periods <= wait.total_seconds() + 2 * seconds


@pytest.mark.parametrize(
    ("schedule", "window"),
    [
        # The time-out of ten minutes twice, and the waits between tries.
        ("rate(5 minutes)", (300, 7)),
        ("0 3 * * *", (3600, 27)),
        ("0 3 * * 1-5", (3600, 75)),
    ],
)
def test_a_job_that_did_not_succeed_when_it_was_due_raises_an_alarm(
    tmp_path: Path, schedule: str, window: tuple[int, int]
) -> None:
    alarm = job_stack(tmp_path / "cdk.out", schedule=schedule).one(
        "aws_cloudwatch_metric_alarm", f"{KEY}_missing_run"
    )
    assert alarm["alarm_name"] == f"{NAME}/missing-run"
    assert (alarm["metric_name"], alarm["comparison_operator"], alarm["threshold"]) == (
        "ExecutionsSucceeded",
        "LessThanThreshold",
        1,
    )
    assert (alarm["treat_missing_data"], alarm["statistic"]) == ("breaching", "Sum")
    assert (alarm["period"], alarm["evaluation_periods"]) == window


@pytest.mark.parametrize("schedule", ["@weekly", "@monthly", "cron(0 3 * * ? 2027)"])
def test_a_job_whose_runs_are_a_week_apart_has_no_alarm_for_a_missing_one(
    tmp_path: Path, schedule: str
) -> None:
    alarms = job_stack(tmp_path / "cdk.out", schedule=schedule).all("aws_cloudwatch_metric_alarm")
    assert set(alarms) == {f"{KEY}_{name}" for name in ("failed", "aborted", "not_started")}


# --- who is notified


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return alarm_stack(tmp_path_factory.mktemp("alarms") / "cdk.out")


def test_each_alarm_notifies_the_topic_and_only_the_composite_who_is_on_call(stack: Stack) -> None:
    every, on_call = "${aws_sns_topic.alarm_topic.arn}", "${aws_sns_topic.on_call_topic.arn}"
    for alarm in stack.all("aws_cloudwatch_metric_alarm").values():
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [every]
    unhealthy = stack.one("aws_cloudwatch_composite_alarm")
    assert unhealthy["alarm_name"] == "oaktree-dev/unhealthy"
    assert unhealthy["alarm_actions"] == unhealthy["ok_actions"] == [every, on_call]


def test_each_address_subscribes_to_its_topic(stack: Stack) -> None:
    found = {
        (each["endpoint"], each["topic_arn"]) for each in stack.all("aws_sns_topic_subscription").values()
    }
    assert found == {
        ("team@example.com", "${aws_sns_topic.alarm_topic.arn}"),
        ("second@example.com", "${aws_sns_topic.alarm_topic.arn}"),
        ("on-call@example.com", "${aws_sns_topic.on_call_topic.arn}"),
    }


def test_an_address_that_goes_leaves_the_others_as_they_are(stack: Stack, tmp_path: Path) -> None:
    shorter = alarm_stack(tmp_path / "cdk.out", SETTINGS.replace('"team@example.com", ', ""))
    before, after = (set(each.all("aws_sns_topic_subscription")) for each in (stack, shorter))
    assert after < before
    assert len(before - after) == 1


def test_the_composite_watches_the_alarms_that_users_notice(stack: Stack) -> None:
    children = [
        "oaktree-dev/databases.shop/free-storage",
        *(f"oaktree-dev/tables.sessions/{name}" for name in ("throttles", "system-errors")),
    ]
    unhealthy = stack.one("aws_cloudwatch_composite_alarm")
    assert unhealthy["alarm_rule"] == " OR ".join(f'ALARM("{name}")' for name in children)
    alarms = stack.all("aws_cloudwatch_metric_alarm")
    watched_ones = {key for key, alarm in alarms.items() if alarm["alarm_name"] in children}
    assert unhealthy["depends_on"] == [f"aws_cloudwatch_metric_alarm.{key}" for key in alarms_in(unhealthy)]
    # CloudWatch deletes none of them before the composite alarm has left it out.
    created_first = {
        key for key, alarm in alarms.items() if alarm.get("lifecycle") == {"create_before_destroy": True}
    }
    assert created_first == watched_ones == set(alarms_in(unhealthy))


def alarms_in(composite: Mapping[str, Any]) -> list[str]:
    """The Terraform names of the alarms that a composite alarm waits for."""
    return [each.rpartition(".")[2] for each in composite["depends_on"]]


def test_the_settings_say_which_alarms_make_an_environment_unhealthy(tmp_path: Path) -> None:
    chosen = alarm_stack(tmp_path / "one" / "cdk.out", '[alarms]\nunhealthy = ["connections"]\n')
    rule = chosen.one("aws_cloudwatch_composite_alarm")["alarm_rule"]
    assert rule == 'ALARM("oaktree-dev/databases.shop/connections")'
    nothing = alarm_stack(tmp_path / "two" / "cdk.out", "[alarms]\nunhealthy = []\n")
    assert nothing.all("aws_cloudwatch_composite_alarm") == {}


@pytest.mark.parametrize(("limit", "value"), [("MOST_CHILDREN", 2), ("MOST_CHARACTERS", 100)])
def test_more_alarms_than_a_composite_alarm_watches_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, value: int
) -> None:
    monkeypatch.setattr(construct, limit, value)
    with pytest.raises(
        QuotaError, match=r"oaktree-dev/unhealthy would watch 3 alarms.*alarms\.unhealthy in dev"
    ):
        alarm_stack(tmp_path / "cdk.out")


def test_a_sum_of_metrics_is_what_an_alarm_of_several_compares(stack: Stack) -> None:
    alarm = stack.one("aws_cloudwatch_metric_alarm", "tables_sessions_throttles")
    total, *parts = alarm["metric_query"]
    assert (total["expression"], total["return_data"]) == ("SUM(METRICS())", True)
    assert [part["metric"]["metric_name"] for part in parts] == ["ReadThrottleEvents", "WriteThrottleEvents"]
    assert all("return_data" not in part for part in parts)
    assert "metric_name" not in alarm


def test_chat_channels_get_every_alarm_and_can_only_read_metrics(stack: Stack) -> None:
    guardrail = "arn:aws:iam::111111111111:policy/oaktree-chat-boundary"
    for chat, kind in (
        ("slack", "aws_chatbot_slack_channel_configuration"),
        ("teams", "aws_chatbot_teams_channel_configuration"),
    ):
        channel = stack.one(kind)
        assert channel["sns_topic_arns"] == ["${aws_sns_topic.alarm_topic.arn}"]
        assert channel["guardrail_policy_arns"] == [guardrail]
        assert channel["iam_role_arn"] == f"${{aws_iam_role.{chat}_role.arn}}"
        role = stack.one("aws_iam_role", f"{chat}_role")
        assert role["permissions_boundary"] == guardrail
        (trust,) = json.loads(role["assume_role_policy"])["Statement"]
        assert trust["Principal"] == {"Service": "chatbot.amazonaws.com"}
        allowed, bound = (
            json.loads(stack.one(kind_of, name)["policy"])["Statement"]
            for kind_of, name in (
                ("aws_iam_role_policy", f"{chat}_role_policy"),
                ("aws_iam_policy", "chat_boundary"),
            )
        )
        assert allowed == bound
        (statement,) = bound
        assert statement["Action"] == ["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"]


def test_every_account_has_the_boundary_of_chat_channels(stacks: dict[str, Stack]) -> None:
    for foundation in ("foundation", "foundation-222222222222"):
        policy = stacks[foundation].one("aws_iam_policy", "chat_boundary")
        assert policy["name"] == "oaktree-chat-boundary"


def test_the_default_of_what_is_unhealthy_names_alarms() -> None:
    assert set(UNHEALTHY) < set(get_args(AlarmName))
    assert read_platform(ENVIRONMENTS).environments["dev"].alarms.unhealthy == UNHEALTHY
