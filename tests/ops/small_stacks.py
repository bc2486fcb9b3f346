"""A stand-in for `main.py` with stacks so small that Terraform applies them in seconds.

Takes the arguments that `main.py` takes. `network.txt` in the environments' directory is the
network stack's only content, so that a test can change it; `project.toml` says whether the
foundation is protected.
"""

import argparse
import json
import shutil
import tomllib
from pathlib import Path

ACCOUNT = "111111111111"
REGION = "eu-central-1"
BUCKET = f"oaktree-state-{ACCOUNT}-{REGION}"
TABLE = "oaktree-dev-status"
RECORD = "jsondecode(nonsensitive(data.aws_ssm_parameter.release.value))"
IMAGE = f"${{{RECORD}.image}}"
COMMIT = f"${{{RECORD}.commit}}"

Block = dict[str, object]


def main() -> None:
    """Write the stacks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--outdir", type=Path, required=True)
    arguments = parser.parse_args()
    aside = arguments.outdir.with_suffix(".new")
    shutil.rmtree(aside, ignore_errors=True)
    content = (arguments.environments / "network.txt").read_text()
    project = tomllib.loads((arguments.environments / "project.toml").read_text())
    write(aside, "foundation", {"resource": foundation(project["protected"])})
    write(aside, "dev-network", {"resource": network(content)})
    found: Block = {
        "aws_ssm_parameter": {"release": {"name": "/oaktree/dev/releases/web"}},
        "aws_subnets": {"default": {}},
        "aws_security_groups": {"default": {}},
    }
    write(aside, "dev-service", {"resource": service(), "data": found})
    shutil.rmtree(arguments.outdir, ignore_errors=True)
    aside.replace(arguments.outdir)


def write(directory: Path, stack: str, blocks: Block) -> None:
    """Write one stack with the project's backend and provider."""
    backend = {"bucket": BUCKET, "key": f"{stack}.tfstate", "region": REGION, "use_lockfile": True}
    configuration = {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}},
            "backend": {"s3": backend},
        },
        "provider": {"aws": [{"region": REGION, "allowed_account_ids": [ACCOUNT]}]},
        **blocks,
    }
    file = directory / "stacks" / stack / "cdk.tf.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(configuration))


def foundation(protected: bool) -> Block:
    """State and registry."""
    return {
        "aws_s3_bucket": {"state": {"bucket": BUCKET, "force_destroy": not protected}},
        "aws_ecr_repository": {"web": {"name": "oaktree/web", "force_delete": not protected}},
    }


def network(content: str) -> Block:
    """One parameter."""
    parameter = {"name": "/oaktree/dev/network", "type": "String", "value": content}
    return {"aws_ssm_parameter": {"network": parameter}}


def service() -> Block:
    """What an app needs to run: its task definition and its table."""
    table = {
        "name": TABLE,
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": "pk",
        "range_key": "sk",
        "attribute": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
    }
    role = {"name": "oaktree-dev-web-task", "assume_role_policy": json.dumps(trust())}
    task = {
        "family": "oaktree-dev-web",
        "task_role_arn": "${aws_iam_role.task.arn}",
        "container_definitions": json.dumps([container()]),
    }
    web = {
        "name": "oaktree-dev-web",
        "cluster": "${aws_ecs_cluster.cluster.arn}",
        "task_definition": "${aws_ecs_task_definition.web.arn}",
        "desired_count": 0,
        "network_configuration": {
            "subnets": "${data.aws_subnets.default.ids}",
            "security_groups": "${data.aws_security_groups.default.ids}",
        },
    }
    return {
        "aws_dynamodb_table": {"status": table},
        "aws_iam_role": {"task": role},
        "aws_ecs_cluster": {"cluster": {"name": "oaktree-dev"}},
        "aws_ecs_task_definition": {"web": task},
        "aws_ecs_service": {"web": web},
    }


def trust() -> Block:
    """Lets a task assume its role."""
    principal = {"Service": "ecs-tasks.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "2012-10-17", "Statement": [statement]}


def container() -> Block:
    """The app's container, with every variable its contract asks for."""
    variables = {
        "ENVIRONMENT": "dev",
        "SERVICE": "web",
        "AWS_REGION": REGION,
        "TABLE": TABLE,
        "CLUSTER": "oaktree-dev",
        "ECS_SERVICE": "oaktree-dev-web",
        "ALARM_PREFIX": "oaktree-dev-web-",
        "LOG_GROUP": "/oaktree/dev/web",
        "CHECK_INTERVAL": "1",
        "IMAGE": IMAGE,
        "COMMIT": COMMIT,
        "KEEP_ALIVE": "75",
        "SHUTDOWN_TIMEOUT": "5",
        "LOG_LEVEL": "info",
    }
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/oaktree/dev/web/write-token-sha256"
    options = {
        "awslogs-group": "/oaktree/dev/web",
        "awslogs-region": REGION,
        "awslogs-stream-prefix": "web",
    }
    return {
        "name": "web",
        "image": IMAGE,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "memory": 128,
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
        "secrets": [{"name": "WRITE_TOKEN_SHA256", "valueFrom": parameter}],
    }


if __name__ == "__main__":
    main()
