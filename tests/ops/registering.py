"""What the service stack registers for workloads, as far as a desk looks at it, put on an embedded AWS."""

import json
from collections.abc import Iterable
from contextlib import suppress

from ops.local.embedded import Embedded
from stacks.naming import base, service_name
from stacks.values import SecretReference
from stacks.workloads import Workload
from tests.ops.conftest import ACCOUNT, REGION
from tests.ops.small_stacks import trust

GIVEN_BY_AWS = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SHARED_CREDENTIALS_FILE",
    }
)
"""Variables at a desk in place of what ECS gives a task: the endpoint of AWS, the role's keys, the region."""


def register(embedded: Embedded, project: str, workloads: Iterable[Workload]) -> None:
    """Registers task definitions and services, with one role that may read the secrets."""
    iam, ecs = embedded.client("iam", REGION, ACCOUNT), embedded.client("ecs", REGION, ACCOUNT)
    allowed = {"Effect": "Allow", "Action": ["ssm:*", "secretsmanager:*", "kms:*"], "Resource": "*"}
    role = "desk"
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust()))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy)
    ssm, secrets = embedded.client("ssm", REGION, ACCOUNT), embedded.client("secretsmanager", REGION, ACCOUNT)
    ssm.put_parameter(Name="/oaktree/dev/key", Value="of ssm", Type="SecureString", Overwrite=True)
    with suppress(secrets.exceptions.ResourceExistsException):
        secrets.create_secret(Name="db", SecretString='{"user": "shop"}')
    values = {
        "/oaktree/dev/key": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/oaktree/dev/key",
        "db": f"{secrets.describe_secret(SecretId='db')['ARN']}:user::",
    }
    cluster = base(project, "dev")
    ecs.create_cluster(clusterName=cluster)
    for each in workloads:
        if each.settings.kind == "job":
            continue
        containers = [
            {
                "name": container.name,
                "image": container.image or "an image",
                "memory": 128,
                "command": list(container.command),
                "entryPoint": list(container.entry_point),
                "readonlyRootFilesystem": container.read_only_root,
                "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
                "mountPoints": [
                    {"sourceVolume": "volume", "containerPath": path} for path in container.writable_paths
                ],
                "environment": [
                    {"name": name, "value": str(value)} for name, value in container.variables.items()
                ],
                "secrets": [
                    {"name": name, "valueFrom": values[reference.name]}
                    for name, reference in container.secrets.items()
                    if isinstance(reference, SecretReference)
                ],
            }
            for container in each.containers
        ]
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        made = ecs.register_task_definition(
            family=each.name, containerDefinitions=containers, taskRoleArn=arn, executionRoleArn=arn
        )["taskDefinition"]["taskDefinitionArn"]
        name = service_name(project, "dev", each.key)
        found = [
            known
            for known in ecs.describe_services(cluster=cluster, services=[name])["services"]
            if known["status"] == "ACTIVE"
        ]
        if found:
            ecs.update_service(cluster=cluster, service=name, taskDefinition=made)
        else:
            ecs.create_service(cluster=cluster, serviceName=name, taskDefinition=made, desiredCount=0)
