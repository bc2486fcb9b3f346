"""A stack with one job and what it needs, made of the constructs; its values are the tests' own."""

import json
from pathlib import Path
from typing import Any

from stacks import kinds
from stacks.bindings import (
    App,
    EcsCluster,
    EcsClusterCapacityProviders,
    EcsTaskDefinition,
    SecurityGroup,
    Subnet,
    Vpc,
)
from stacks.constructs.alarm_topic import AlarmTopics
from stacks.constructs.alarms import Alarms
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.job import Job
from stacks.constructs.job_boundary import JobBoundary
from stacks.constructs.job_machine import JobTask
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.reading import read_platform
from tests.places import ENVIRONMENTS
from tests.stacks.terraform_json import Stack

KEY = "cleanup"
NAME = "oaktree-dev-cleanup"
COMMAND = ["python", "-m", "shop.cleanup"]


def write_job_stack(
    outdir: Path,
    *,
    schedule: str = "0 3 * * 1-5",
    timeout: int = 600,
    retries: int = 1,
    overlap: bool = False,
    spot_percent: int = 0,
    command: list[str] = COMMAND,
) -> Path:
    """Synthesizes the stack and returns its `cdk.tf.json`."""
    platform = read_platform(ENVIRONMENTS)
    environment = platform.environments["dev"]
    app = App(outdir=str(outdir))
    stack = PlatformStack(app, platform.project, kinds.SERVICE.of_environment(environment))
    JobBoundary(stack, platform.project, environment.account_id)
    vpc = Vpc(stack, "vpc", cidr_block="10.0.0.0/24")
    subnet = Subnet(
        stack, "subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/28", availability_zone="eu-central-1a"
    )
    group = SecurityGroup(stack, "group", name=NAME, description="Tasks of a job", vpc_id=vpc.id)
    cluster = EcsCluster(stack, "cluster", name="oaktree-dev")
    providers = EcsClusterCapacityProviders(
        stack, "providers", cluster_name=cluster.name, capacity_providers=["FARGATE", "FARGATE_SPOT"]
    )
    execution, own = (
        BoundedRole(
            stack,
            f"{KEY}_{what}_role",
            name=f"{NAME}-{what}",
            description=f"The {what} role of a job",
            service="ecs-tasks.amazonaws.com",
            statements=[Statement("Login", ["ecr:GetAuthorizationToken"], ["*"])],
        )
        for what in ("execution", "task")
    )
    container = {"name": KEY, "image": "i", "essential": True, "command": command}
    definition = EcsTaskDefinition(
        stack,
        f"{KEY}_task",
        family=NAME,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu="256",
        memory="512",
        execution_role_arn=execution.arn,
        task_role_arn=own.arn,
        container_definitions=json.dumps([container], sort_keys=True),
    )
    Job(
        stack,
        KEY,
        environment,
        JobTask(
            cluster_arn=cluster.arn,
            definition_arn=definition.arn,
            family=NAME,
            subnet_ids=[subnet.id],
            group_id=group.id,
            role_arns=[execution.arn, own.arn],
            spot_percent=spot_percent,
        ),
        Alarms(stack, platform.project, environment, AlarmTopics(stack, platform.project, environment)),
        schedule=schedule,
        timezone="Europe/Berlin",
        timeout=timeout,
        retries=retries,
        overlap=overlap,
        needed=[providers, *execution.policies, *own.policies],
    )
    app.synth()
    return outdir / "stacks" / "dev-service" / "cdk.tf.json"


def job_stack(outdir: Path, **settings: Any) -> Stack:
    """The synthesized stack."""
    return Stack(json.loads(write_job_stack(outdir, **settings).read_text()))
