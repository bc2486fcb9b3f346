"""A job: its schedule, its state machine, the roles that start it, and its alarms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stacks import naming
from stacks.constructs.job_machine import RUN, JobTask, definition
from tests.stacks.job_stack import KEY, NAME, job_stack
from tests.stacks.terraform_json import Stack

ACCOUNT = "111111111111"
TASK = JobTask("cluster", "family:7", "family", ["subnet-1", "subnet-2"], "sg-1", ["execution", "task"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack with a job."""
    return job_stack(tmp_path_factory.mktemp("job") / "cdk.out")


def states(
    task: JobTask = TASK, *, timeout: int = 60, retries: int = 0, overlap: bool = True
) -> Mapping[str, Any]:
    machine = json.loads(definition(task, timeout=timeout, retries=retries, overlap=overlap))
    found: Mapping[str, Any] = machine["States"]
    return found


def permissions(stack: Stack, role: str) -> Mapping[str, Mapping[str, Any]]:
    """The statements of a role, by Sid."""
    document = json.loads(stack.one("aws_iam_role_policy", f"{KEY}_{role}_role_policy")["policy"])
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_the_schedule_starts_the_state_machine_at_the_translated_time(stack: Stack) -> None:
    schedule = stack.one("aws_scheduler_schedule")
    assert schedule["name"] == NAME
    assert schedule["schedule_expression"] == "cron(0 3 ? * MON-FRI *)"
    assert schedule["schedule_expression_timezone"] == "Europe/Berlin"
    target = schedule["target"]
    assert target["arn"] == "${aws_sfn_state_machine.cleanup_state_machine.arn}"
    assert target["dead_letter_config"]["arn"] == "${aws_sqs_queue.cleanup_dead_letters.arn}"
    assert schedule["depends_on"] == ["aws_iam_role_policy.cleanup_schedule_role_policy"]


def test_a_run_is_a_task_of_the_revision_in_the_private_subnets() -> None:
    arguments = states()[RUN]["Arguments"]
    assert (arguments["Cluster"], arguments["TaskDefinition"]) == ("cluster", "family:7")
    assert arguments["NetworkConfiguration"]["AwsvpcConfiguration"] == {
        "Subnets": ["subnet-1", "subnet-2"],
        "SecurityGroups": ["sg-1"],
        "AssignPublicIp": "DISABLED",
    }
    assert arguments["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE", "Weight": 100}]
    mixed = JobTask("c", "f:1", "f", [], "sg", [], spot_percent=70, public=True)
    arguments = states(mixed)[RUN]["Arguments"]
    assert [each["Weight"] for each in arguments["CapacityProviderStrategy"]] == [30, 70]
    assert arguments["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"


def test_a_failed_run_is_repeated_as_often_as_the_settings_say() -> None:
    def attempts(retries: int) -> Mapping[str, int]:
        retriers = states(retries=retries)[RUN]["Retry"]
        return {each["ErrorEquals"][0]: each["MaxAttempts"] for each in retriers}

    # One that ECS could not start is tried again in any case.
    assert attempts(0) == {"AmazonECS.Unknown": 3}
    assert attempts(2) == {"AmazonECS.Unknown": 3, "States.TaskFailed": 2}


def test_a_run_that_takes_too_long_has_its_own_task_stopped_and_fails() -> None:
    found = states(timeout=90)
    assert found[RUN]["TimeoutSeconds"] == 90
    assert found[RUN]["Catch"] == [{"ErrorEquals": ["States.Timeout"], "Next": "List tasks"}]
    path = ["List tasks"]
    while following := found[path[-1]].get("Next"):
        path.append(following)
    assert path == ["List tasks", "Find its task", "Stop it", "Timed out"]
    assert found["Timed out"]["Type"] == "Fail"
    # The same group at the start and at the search.
    assert "$states.context.Execution.Name" in found[RUN]["Arguments"]["Group"]
    assert "Group = $states.context.Execution.Name" in found["Find its task"]["Output"]


def test_only_a_job_that_may_not_overlap_looks_for_other_runs(stack: Stack, tmp_path: Path) -> None:
    machine = json.loads(stack.one("aws_sfn_state_machine")["definition"])
    assert machine["StartAt"] == "List runs"
    assert machine["States"]["Another run?"]["Choices"][0]["Next"] == "Skipped"
    assert machine["States"]["Skipped"]["Type"] == "Succeed"
    assert "ListRuns" in permissions(stack, "run")

    overlapping = job_stack(tmp_path / "cdk.out", overlap=True)
    machine = json.loads(overlapping.one("aws_sfn_state_machine")["definition"])
    assert machine["StartAt"] == RUN
    assert "Skipped" not in machine["States"]
    assert "ListRuns" not in permissions(overlapping, "run")


@pytest.mark.parametrize("overlap", [True, False])
def test_every_state_is_reached_and_every_way_ends(overlap: bool) -> None:
    machine = json.loads(definition(TASK, timeout=60, retries=1, overlap=overlap))
    found, reached, ways = machine["States"], set(), [machine["StartAt"]]
    while ways:
        name = ways.pop()
        if name in reached:
            continue
        reached.add(name)
        state = found[name]
        following = [state.get("Next"), state.get("Default")]
        following += [each["Next"] for each in (*state.get("Catch", ()), *state.get("Choices", ()))]
        ways += [each for each in following if each]
        assert any(following) or state.get("End") or state["Type"] in ("Fail", "Succeed"), name
    assert reached == set(found)


def test_each_role_trusts_its_service_and_is_bounded(stack: Stack) -> None:
    for role, service in (("schedule", "scheduler.amazonaws.com"), ("run", "states.amazonaws.com")):
        found = stack.one("aws_iam_role", f"{KEY}_{role}_role")
        assert found["permissions_boundary"] == f"arn:aws:iam::{ACCOUNT}:policy/oaktree-job-boundary"
        (trust,) = json.loads(found["assume_role_policy"])["Statement"]
        assert trust["Principal"] == {"Service": service}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert stack.one("aws_iam_role", f"{KEY}_task_role")["permissions_boundary"].endswith("workload-boundary")


def test_the_roles_may_start_this_job_and_nothing_else(stack: Stack) -> None:
    machine = f"arn:aws:states:eu-central-1:{ACCOUNT}:stateMachine:{NAME}"
    starts = permissions(stack, "schedule")
    assert starts["StartRuns"]["Resource"] == [machine]
    assert starts["KeepDeadLetters"]["Resource"] == ["${aws_sqs_queue.cleanup_dead_letters.arn}"]
    runs = permissions(stack, "run")
    assert runs["RunTask"]["Resource"] == [f"arn:aws:ecs:eu-central-1:{ACCOUNT}:task-definition/{NAME}:*"]
    assert runs["ListRuns"]["Resource"] == [machine]
    assert runs["PassRoles"]["Resource"] == [
        f"${{aws_iam_role.cleanup_{role}_role.arn}}" for role in ("execution", "task")
    ]
    cluster = {"ArnEquals": {"ecs:cluster": "${aws_ecs_cluster.cluster.arn}"}}
    assert {sid for sid, each in runs.items() if each.get("Condition") == cluster} == {
        "RunTask",
        "ListTasks",
        "FollowTask",
    }


def test_the_boundary_has_every_action_of_both_roles(stack: Stack) -> None:
    boundary = json.loads(stack.one("aws_iam_policy", "job_boundary")["policy"])["Statement"]
    admitted = {action for statement in boundary for action in statement["Action"]}
    used = {
        action
        for role in ("schedule", "run")
        for statement in permissions(stack, role).values()
        for action in statement["Action"]
    }
    # What follows the rotation of a database's password has the same boundary.
    assert used == admitted - {"ecs:UpdateService"}


def test_somebody_is_told_of_runs_that_fail_or_never_start(stack: Stack) -> None:
    alarms = stack.all("aws_cloudwatch_metric_alarm")
    assert {alarm["metric_name"]: alarm["alarm_name"] for alarm in alarms.values()} == {
        "ExecutionsFailed": f"{NAME}/failed",
        "ExecutionsAborted": f"{NAME}/aborted",
        "ApproximateNumberOfMessagesVisible": f"{NAME}/not-started",
        "ExecutionsSucceeded": f"{NAME}/missing-run",
    }
    assert alarms[f"{KEY}_failed"]["dimensions"] == {
        "StateMachineArn": "${aws_sfn_state_machine.cleanup_state_machine.arn}"
    }
    for name in ("failed", "aborted", "not_started"):
        alarm = alarms[f"{KEY}_{name}"]
        assert (alarm["threshold"], alarm["comparison_operator"]) == (0, "GreaterThanThreshold")
        assert alarm["alarm_actions"] == ["${aws_sns_topic.alarm_topic.arn}"]


def test_the_names_of_a_job_are_within_the_limits_of_aws_where_its_roles_are() -> None:
    # Sources: EventBridge Scheduler API, CreateSchedule (64); Step Functions API, CreateStateMachine (80);
    # Amazon SQS API, CreateQueue (80). A service's execution role, which synthesis measures, has 64.
    service = "s" * (64 - len(naming.role_name("oaktree", "dev", "-execution")))
    assert len(naming.role_name("oaktree", "dev", f"{service}-execution")) == 64
    assert len(naming.job_name("oaktree", "dev", service)) <= 64
    assert len(naming.dead_letter_queue("oaktree", "dev", service)) <= 80
    for role in ("schedule", "run"):
        assert len(naming.role_name("oaktree", "dev", f"{service}-{role}")) <= 64
