"""Jobs on the embedded AWS: what real Terraform finds there, what is refused, and how an execution ends."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded, start_embedded, stop_embedded
from ops.terraform.binary import find_terraform
from ops.terraform.workspace import Workspace
from stacks.constructs.job_machine import JobTask, definition
from tests.ops.conftest import ACCOUNT, REGION
from tests.stacks.job_stack import KEY, NAME, write_job_stack

pytestmark = pytest.mark.e2e

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["scheduler.amazonaws.com", "states.amazonaws.com"]},
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
            }
        ],
    }
)
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{NAME}"
TASK = JobTask("oaktree-dev", f"{NAME}:1", NAME, ["subnet-1"], "sg-1", [])


def workspace(directory: Path, embedded: Embedded, **settings: Any) -> Workspace:
    """The stack of a job, to be applied on an embedded AWS."""
    made = Workspace(
        "dev-service",
        directory / "work",
        find_terraform(directory / "shared"),
        embedded.environment(ACCOUNT, REGION, os.environ),
    )
    made.take(write_job_stack(directory / "cdk.out", **settings))
    made.use_local_state()
    made.init()
    return made


def test_a_job_is_applied_once_and_destroyed_whole(embedded: Embedded, tmp_path: Path) -> None:
    stack = workspace(tmp_path, embedded, spot_percent=50)
    stack.apply()
    assert changes(stack.plan()) == []
    assert embedded.client("scheduler", REGION).get_schedule(Name=NAME)["State"] == "ENABLED"
    stack.destroy()
    assert embedded.client("stepfunctions", REGION).list_state_machines()["stateMachines"] == []
    assert embedded.client("scheduler", REGION).list_schedules()["Schedules"] == []
    assert "QueueUrls" not in embedded.client("sqs", REGION).list_queues()


def changes(plan: Any) -> list[str]:
    """The addresses that a plan changes."""
    return [each["address"] for each in plan["resource_changes"] if each["change"]["actions"] != ["no-op"]]


class Jobs:
    """The embedded AWS with what a job needs, put there by its clients."""

    def __init__(self, embedded: Embedded) -> None:
        self.ecs, self.sfn, self.scheduler, self.sqs = (
            embedded.client(service, REGION) for service in ("ecs", "stepfunctions", "scheduler", "sqs")
        )
        self.embedded = embedded
        self.iam = embedded.client("iam", REGION)
        self.role = self.iam.create_role(RoleName="both", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        self.allow("*")
        self.ec2 = ec2 = embedded.client("ec2", REGION)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/28")["Subnet"]["SubnetId"]
        self.group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
        self.ecs.create_cluster(clusterName="oaktree-dev")
        self.register(NAME, {"name": KEY, "image": "i", "command": ["true"]})

    def register(self, family: str, container: dict[str, Any]) -> None:
        """Register a task definition, which state machines run from here on."""
        registered = self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.role,
            taskRoleArn=self.role,
            containerDefinitions=[container],
        )
        self.definition = str(registered["taskDefinition"]["taskDefinitionArn"])

    def allow(self, *actions: str) -> None:
        """Give the role a policy."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        self.iam.put_role_policy(
            RoleName="both",
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def machine(self, name: str, *, timeout: int = 600, retries: int = 0, overlap: bool = True) -> str:
        """Create a state machine in place of a former one of that name, and return its ARN."""
        task = JobTask("oaktree-dev", self.definition, NAME, [self.subnet], self.group, [self.role])
        text = definition(task, timeout=timeout, retries=retries, overlap=overlap)
        self.remove(name)
        created = self.sfn.create_state_machine(name=name, definition=text, roleArn=self.role)
        return str(created["stateMachineArn"])

    def remove(self, name: str) -> None:
        """Delete a state machine, if it is there."""
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
        self.sfn.delete_state_machine(stateMachineArn=arn)

    def start(self, machine: str) -> str:
        """Start an execution and return its ARN."""
        return str(self.sfn.start_execution(stateMachineArn=machine)["executionArn"])

    def running(self, execution: str) -> list[dict[str, Any]]:
        """The running tasks of an execution."""
        arns = self.ecs.list_tasks(cluster="oaktree-dev", family=NAME, desiredStatus="RUNNING")["taskArns"]
        found = self.ecs.describe_tasks(cluster="oaktree-dev", tasks=arns)["tasks"] if arns else []
        return [each for each in found if each["group"] == execution.rpartition(":")[2]]

    def end(self, execution: str, exit_code: int) -> None:
        """Say that the only task of an execution has ended, as ECS's agent does."""
        (task,) = self.running(execution)
        self.ecs.submit_task_state_change(
            cluster="oaktree-dev",
            task=task["taskArn"],
            status="STOPPED",
            containers=[{"containerName": KEY, "exitCode": exit_code, "status": "STOPPED"}],
        )

    def schedule(self, **settings: Any) -> None:
        """Create a schedule that AWS takes, but for the settings given."""
        target = {"Arn": MACHINE, "RoleArn": self.role, **settings.pop("Target", {})}
        self.scheduler.create_schedule(
            **{
                "Name": "valid",
                "ScheduleExpression": "rate(1 hour)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": target,
                **settings,
            }
        )


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """An embedded AWS of its own."""
    directory = tmp_path_factory.mktemp("jobs")
    yield Jobs(start_embedded(directory, ACCOUNT))
    stop_embedded(directory)


def test_an_execution_runs_the_task_and_succeeds_with_it(jobs: Jobs) -> None:
    execution = jobs.start(jobs.machine("succeeds"))
    assert jobs.sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    # However often somebody looks.
    for _ in range(5):
        assert [each["lastStatus"] for each in jobs.running(execution)] == ["RUNNING"]
    jobs.end(execution, 0)
    found = jobs.sfn.describe_execution(executionArn=execution)
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"])["Containers"][0]["ExitCode"] == 0
    assert jobs.running(execution) == []
    # Its network interface is gone, so that nothing is in the way when the subnet is destroyed.
    assert jobs.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_an_execution_fails_with_the_exit_code_once_it_was_repeated(jobs: Jobs) -> None:
    execution = jobs.start(jobs.machine("fails", retries=1))
    jobs.end(execution, 3)
    assert jobs.sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    jobs.end(execution, 4)
    found = jobs.sfn.describe_execution(executionArn=execution)
    assert (found["status"], found["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(found["cause"])["Containers"][0]["ExitCode"] == 4


def test_an_execution_that_may_not_overlap_is_done_while_another_one_runs(jobs: Jobs) -> None:
    machine = jobs.machine("alone", overlap=False)
    first, second = jobs.start(machine), jobs.start(machine)
    found = jobs.sfn.describe_execution(executionArn=second)
    assert found["status"] == "SUCCEEDED"
    assert "skipped" in json.loads(found["output"])
    assert jobs.running(second) == []
    jobs.end(first, 0)
    third = jobs.start(machine)
    assert jobs.running(third)
    jobs.end(third, 0)


def test_a_stopped_execution_stops_its_task(jobs: Jobs) -> None:
    execution = jobs.start(jobs.machine("stopped"))
    jobs.sfn.stop_execution(executionArn=execution)
    assert jobs.running(execution) == []
    assert jobs.sfn.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_a_role_that_may_not_run_the_task_fails_the_execution(jobs: Jobs) -> None:
    machine = jobs.machine("refused")
    for allowed, missing in (
        (("ecs:TagResource", "iam:PassRole"), "ecs:RunTask"),
        (("ecs:RunTask", "ecs:TagResource"), "iam:PassRole"),
        (("ecs:RunTask", "iam:PassRole"), "ecs:TagResource"),
    ):
        jobs.allow(*allowed)
        found = jobs.sfn.describe_execution(executionArn=jobs.start(machine))
        assert (found["status"], found["error"]) == ("FAILED", "ECS.AccessDeniedException")
        assert found["cause"].endswith(missing)
    jobs.allow("*")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"Name": "x" * 65}, "at 'name' failed to satisfy constraint"),
        ({"Name": "a b"}, "at 'name' failed to satisfy constraint"),
        ({"ScheduleExpression": "cron(0 3 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "0 3 * * *"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "rate(1 hours)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Oaktree"}, "Invalid ScheduleExpressionTimezone"),
        ({"Target": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}}, "to assume the role"),
        (
            {"Target": {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:missing"}}},
            "does not exist",
        ),
    ],
)
def test_a_schedule_that_aws_refuses_is_refused(jobs: Jobs, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=r"\(ValidationException\)") as caught:
        jobs.schedule(**settings)
    assert reason in str(caught.value)


def test_a_schedule_that_aws_takes_is_taken(jobs: Jobs) -> None:
    queue = jobs.sqs.create_queue(QueueName="letters")["QueueUrl"]
    arn = jobs.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    jobs.schedule(
        ScheduleExpression="cron(0 3 ? * MON-FRI *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        Target={"DeadLetterConfig": {"Arn": arn}},
    )
    jobs.schedule(Name="once", ScheduleExpression="at(2030-01-01T00:00:00)")


BROKEN = {
    "INVALID_JSON_DESCRIPTION": "[]",
    "'States' is required": '{"StartAt": "A"}',
    "StartAt names no state": '{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}',
    "Missing 'Next' target: B": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}',
    "is not reachable": '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Fail"}}}',
    "One of 'Next' and 'End'": '{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}',
    "Unknown state type": '{"StartAt": "A", "States": {"A": {"Type": "Job", "End": true}}}',
    "'Resource' is required": '{"StartAt": "A", "States": {"A": {"Type": "Task", "End": true}}}',
    "'Parameters' is not supported": (
        '{"QueryLanguage": "JSONata", "StartAt": "A", "States": '
        '{"A": {"Type": "Task", "Resource": "r", "Parameters": {}, "End": true}}}'
    ),
}


@pytest.mark.parametrize(("reason", "text"), BROKEN.items())
def test_a_definition_that_aws_refuses_is_refused_in_plan_and_apply(
    jobs: Jobs, reason: str, text: str
) -> None:
    answered = jobs.sfn.validate_state_machine_definition(definition=text)
    assert answered["result"] == "FAIL"
    assert reason in str(answered["diagnostics"])
    with pytest.raises(ClientError, match=r"\(InvalidDefinition\)"):
        jobs.sfn.create_state_machine(name="broken", definition=text, roleArn=jobs.role)


@pytest.mark.parametrize("overlap", [True, False])
def test_the_definition_of_a_job_is_valid(jobs: Jobs, overlap: bool) -> None:
    text = definition(TASK, timeout=60, retries=2, overlap=overlap)
    assert jobs.sfn.validate_state_machine_definition(definition=text)["diagnostics"] == []


def test_a_state_machine_needs_a_role_that_trusts_it_and_may_hear_of_tasks(jobs: Jobs) -> None:
    text = definition(TASK, timeout=60, retries=2, overlap=True)
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    with pytest.raises(ClientError, match="authorized to assume the provided role"):
        jobs.sfn.create_state_machine(name="m", definition=text, roleArn=nobody)
    jobs.allow("ecs:RunTask")
    with pytest.raises(ClientError, match="not authorized to create managed-rule"):
        jobs.sfn.create_state_machine(name="m", definition=text, roleArn=jobs.role)
    jobs.allow("*")
