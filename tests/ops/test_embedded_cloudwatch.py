"""Alarms on the embedded AWS: what real Terraform finds there, who is notified, and what is refused."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded, start_embedded, stop_embedded
from ops.terraform.binary import find_terraform
from ops.terraform.workspace import Workspace
from tests.ops.alarms import make_alarm
from tests.ops.conftest import ACCOUNT, REGION
from tests.stacks.alarm_stack import PREFIX, write_alarm_stack

pytestmark = pytest.mark.e2e


def changes(plan: Any) -> dict[str, list[str]]:
    """What a plan does to the addresses that it changes."""
    return {
        each["address"]: each["change"]["actions"]
        for each in plan["resource_changes"]
        if each["change"]["actions"] != ["no-op"]
    }


def test_alarms_are_applied_once_changed_and_destroyed_whole(embedded: Embedded, tmp_path: Path) -> None:
    stack = Workspace(
        "dev-service",
        tmp_path / "work",
        find_terraform(tmp_path / "shared"),
        embedded.environment(ACCOUNT, REGION, os.environ),
    )
    stack.take(write_alarm_stack(tmp_path / "cdk.out"))
    stack.use_local_state()
    stack.init()
    stack.apply()
    assert changes(stack.plan()) == {}
    cloudwatch, logs = embedded.client("cloudwatch", REGION), embedded.client("logs", REGION)
    (unhealthy,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert unhealthy["AlarmName"] == f"{PREFIX}unhealthy"
    assert f'ALARM("{PREFIX}databases.shop/free-storage")' in unhealthy["AlarmRule"]

    # A store that goes, and one that comes: CloudWatch deletes no alarm that the other one still watches.
    stack.take(write_alarm_stack(tmp_path / "cdk-2.out", databases=(), tables=("sessions", "carts")))
    stack.use_local_state()
    stack.apply()
    assert changes(stack.plan()) == {}
    (unhealthy,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert "databases.shop" not in unhealthy["AlarmRule"]
    assert f'ALARM("{PREFIX}tables.carts/throttles")' in unhealthy["AlarmRule"]

    stack.destroy()
    left = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    assert (left["CompositeAlarms"], left["MetricAlarms"]) == ([], [])
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    assert logs.describe_query_definitions()["queryDefinitions"] == []
    assert (
        embedded.client("chatbot", "us-west-2").describe_slack_channel_configurations()[
            "SlackChannelConfigurations"
        ]
        == []
    )


class Watching:
    """Alarms, and a queue that gets what is published to the topic that they notify."""

    def __init__(self, embedded: Embedded) -> None:
        self.cloudwatch = embedded.client("cloudwatch", REGION)
        self.sqs = embedded.client("sqs", REGION)
        sns = embedded.client("sns", REGION)
        self.topic = str(sns.create_topic(Name="alarms")["TopicArn"])
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:messages"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        created = self.sqs.create_queue(QueueName="messages", Attributes={"Policy": policy})
        self.queue = created["QueueUrl"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="team@example.com")

    def put(self, name: str, **settings: Any) -> None:
        """Make a metric alarm; it notifies the topic unless the settings say otherwise."""
        make_alarm(
            self.cloudwatch, name, **{"AlarmActions": [self.topic], "OKActions": [self.topic], **settings}
        )

    def put_composite(self, name: str, rule: str, **settings: Any) -> None:
        self.cloudwatch.put_composite_alarm(
            **{"AlarmName": name, "AlarmRule": rule, "AlarmActions": [self.topic], **settings}
        )

    def set(self, name: str, state: str) -> None:
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")

    def state(self, name: str) -> str:
        found = self.cloudwatch.describe_alarms(
            AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        alarms: list[dict[str, str]] = [*found["MetricAlarms"], *found["CompositeAlarms"]]
        (alarm,) = alarms
        return alarm["StateValue"]

    def messages(self) -> list[dict[str, Any]]:
        """What was published since the last look, each with the subject of its message."""
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        envelopes = [json.loads(each["Body"]) for each in found]
        return [{**json.loads(each["Message"]), "Subject": each["Subject"]} for each in envelopes]

    def remove(self) -> None:
        """Delete every alarm, those that watch others first."""
        for kind in ("CompositeAlarm", "MetricAlarm"):
            found = self.cloudwatch.describe_alarms(AlarmTypes=[kind])[f"{kind}s"]
            for alarm in reversed(found):
                self.cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"]])


@pytest.fixture(scope="module")
def watching_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    directory = tmp_path_factory.mktemp("watching")
    yield Watching(start_embedded(directory, ACCOUNT))
    stop_embedded(directory)


@pytest.fixture
def watching(watching_all: Watching) -> Iterator[Watching]:
    yield watching_all
    watching_all.remove()
    watching_all.messages()


def test_a_subscriber_gets_the_message_of_an_alarm_that_changes_its_state(watching: Watching) -> None:
    watching.put("cpu", Dimensions=[{"Name": "ServiceName", "Value": "web"}], AlarmDescription="Busy")
    watching.set("cpu", "ALARM")
    watching.set("cpu", "ALARM")
    (message,) = watching.messages()
    assert message["Subject"] == 'ALARM: "cpu" in Europe (Frankfurt)'
    assert (message["AlarmName"], message["AlarmDescription"]) == ("cpu", "Busy")
    assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
    assert (message["AWSAccountId"], message["NewStateReason"]) == (ACCOUNT, "a test")
    assert message["AlarmArn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:cpu"
    trigger = message["Trigger"]
    assert trigger["Dimensions"] == [{"name": "ServiceName", "value": "web"}]
    assert (trigger["MetricName"], trigger["Statistic"], trigger["Threshold"]) == (
        "CPUUtilization",
        "AVERAGE",
        90,
    )
    watching.set("cpu", "OK")
    assert [each["NewStateValue"] for each in watching.messages()] == ["OK"]


def test_an_alarm_without_actions_tells_nobody(watching: Watching) -> None:
    watching.put("quiet", ActionsEnabled=False)
    watching.put("alone", AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:gone"])
    for name in ("quiet", "alone"):
        watching.set(name, "ALARM")
    assert watching.messages() == []


def test_an_alarm_that_is_changed_keeps_its_state(watching: Watching) -> None:
    watching.put("cpu")
    watching.set("cpu", "ALARM")
    watching.put("cpu", Threshold=50)
    assert watching.state("cpu") == "ALARM"


def test_a_composite_alarm_follows_those_that_it_watches(watching: Watching) -> None:
    for name in ("a/1", "b/2"):
        watching.put(name, AlarmActions=[])
    watching.put_composite("env/unhealthy", 'ALARM("a/1") OR ALARM("b/2")')
    watching.put_composite("above", "ALARM(env/unhealthy)")
    assert watching.state("env/unhealthy") == "OK"
    watching.set("b/2", "ALARM")
    watching.set("a/1", "ALARM")
    found = {each["AlarmName"]: each for each in watching.messages()}
    assert found.keys() == {"env/unhealthy", "above"}
    assert found["env/unhealthy"]["AlarmRule"] == 'ALARM("a/1") OR ALARM("b/2")'
    assert ":alarm:b/2 transitioned to ALARM" in found["env/unhealthy"]["NewStateReason"]
    watching.set("b/2", "OK")
    assert watching.state("env/unhealthy") == watching.state("above") == "ALARM"
    watching.set("a/1", "OK")
    assert watching.state("env/unhealthy") == watching.state("above") == "OK"


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("ALARM(raised)", "ALARM"),
        ('NOT ALARM("raised")', "OK"),
        ("OK(fine) AND ALARM(raised)", "ALARM"),
        ("ALARM(fine) AND ALARM(raised)", "OK"),
        # AND binds more than OR.
        ("ALARM(raised) OR ALARM(raised) AND ALARM(fine)", "ALARM"),
        ("(ALARM(raised) OR ALARM(raised)) AND ALARM(fine)", "OK"),
        ("NOT (ALARM(fine) OR FALSE)", "ALARM"),
        ("TRUE AND INSUFFICIENT_DATA(fine)", "OK"),
        (f"ALARM(arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:raised)", "ALARM"),
    ],
)
def test_a_rule_says_what_it_says_on_aws(watching: Watching, rule: str, state: str) -> None:
    watching.put("raised")
    watching.put("fine")
    watching.set("raised", "ALARM")
    watching.put_composite("composite", rule)
    assert watching.state("composite") == state


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("ALARM(nowhere)", r"alarms \[nowhere\] in the alarm rule do not exist"),
        ("fine", "must not contain 'fine'"),
        ("(ALARM(fine)", "must close each parenthesis"),
        ("ALARM(fine) ALARM(fine)", "must be one expression"),
        ("ALARM(fine) OR", "must be an expression"),
        (" OR ".join(f"ALARM(fine{number})" for number in range(101)), "100 children"),
    ],
)
def test_a_rule_that_cloudwatch_refuses_is_refused(watching: Watching, rule: str, reason: str) -> None:
    watching.put("fine")
    with pytest.raises(ClientError, match=r"\(ValidationError\)") as caught:
        watching.put_composite("composite", rule)
    assert re.search(reason, str(caught.value))


def test_an_alarm_that_a_composite_alarm_watches_is_not_deleted(watching: Watching) -> None:
    watching.put("child")
    watching.put_composite("one", "ALARM(child)")
    watching.put_composite("two", "ALARM(child)")
    for names, reason in (
        (["child"], "Cannot delete child as there are composite alarm"),
        (["one", "two"], "one composite alarm"),
    ):
        with pytest.raises(ClientError, match=reason):
            watching.cloudwatch.delete_alarms(AlarmNames=names)
    watching.cloudwatch.delete_alarms(AlarmNames=["one"])
    watching.cloudwatch.delete_alarms(AlarmNames=["two", "child"])


def test_composite_alarms_are_told_only_to_who_asks_for_them(watching: Watching) -> None:
    watching.put("child")
    watching.put_composite("composite", "ALARM(child)")
    for kinds, names in (
        ([], {"child"}),
        (["MetricAlarm"], {"child"}),
        (["CompositeAlarm"], {"composite"}),
        (["MetricAlarm", "CompositeAlarm"], {"child", "composite"}),
    ):
        found = watching.cloudwatch.describe_alarms(**{"AlarmTypes": kinds} if kinds else {})
        alarms = (*found["MetricAlarms"], *found["CompositeAlarms"])
        assert {each["AlarmName"] for each in alarms} == names


def test_a_channel_needs_a_role_that_the_service_may_assume(embedded: Embedded) -> None:
    chatbot = embedded.client("chatbot", "us-west-2")
    asked = {"SlackTeamId": "T1", "SlackChannelId": "C1", "ConfigurationName": "c"}
    with pytest.raises(ClientError, match="not authorized to assume the role"):
        chatbot.create_slack_channel_configuration(IamRoleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody", **asked)
    with pytest.raises(ClientError, match=r"\(ResourceNotFoundException\)"):
        chatbot.delete_slack_channel_configuration(
            ChatConfigurationArn=f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/c"
        )
