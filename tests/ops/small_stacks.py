"""A stand-in for `main.py` with stacks so small that Terraform applies them in seconds.

Takes the arguments that `main.py` takes. `network.txt` in the environments' directory is the
network stack's only content, so that a test can change it.
"""

import argparse
import json
import shutil
from pathlib import Path

ACCOUNT = "111111111111"
REGION = "eu-central-1"
BUCKET = f"oaktree-state-{ACCOUNT}-{REGION}"
PROVIDER = {"region": REGION, "allowed_account_ids": [ACCOUNT]}

Block = dict[str, object]

parser = argparse.ArgumentParser()
parser.add_argument("--environments", type=Path, required=True)
parser.add_argument("--outdir", type=Path, required=True)
arguments = parser.parse_args()

content = (arguments.environments / "network.txt").read_text()
container: Block = {
    "name": "web",
    "image": "${nonsensitive(jsondecode(data.aws_ssm_parameter.release.value)).image}",
    "environment": [
        {"name": name, "value": value}
        for name, value in {
            "ENVIRONMENT": "dev",
            "SERVICE": "web",
            "AWS_REGION": REGION,
            "TABLE": "oaktree-dev-status",
            "IMAGE": "${nonsensitive(jsondecode(data.aws_ssm_parameter.release.value)).image}",
            "COMMIT": "0000000",
            "KEEP_ALIVE": "75",
            "SHUTDOWN_TIMEOUT": "5",
            "LOG_LEVEL": "info",
        }.items()
    ],
    "secrets": [
        {
            "name": "WRITE_TOKEN_SHA256",
            "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/oaktree/dev/web/write-token-sha256",
        }
    ],
}
assume: Block = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        }
    ],
}
stacks: dict[str, Block] = {
    "foundation": {
        "aws_s3_bucket": {"state": {"bucket": BUCKET}},
        "aws_ecr_repository": {"web": {"name": "oaktree/web", "force_delete": True}},
    },
    "dev-network": {
        "aws_ssm_parameter": {
            "network": {"name": "/oaktree/dev/network", "type": "String", "value": content},
        },
    },
    "dev-service": {
        "aws_dynamodb_table": {
            "status": {
                "name": "oaktree-dev-status",
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "pk",
                "attribute": [{"name": "pk", "type": "S"}],
            },
        },
        "aws_iam_role": {"task": {"name": "oaktree-dev-web-task", "assume_role_policy": json.dumps(assume)}},
        "aws_ecs_cluster": {"cluster": {"name": "oaktree-dev"}},
        "aws_ecs_task_definition": {
            "web": {
                "family": "oaktree-dev-web",
                "task_role_arn": "${aws_iam_role.task.arn}",
                "container_definitions": json.dumps([container]),
            },
        },
        "aws_ecs_service": {
            "web": {
                "name": "oaktree-dev-web",
                "cluster": "${aws_ecs_cluster.cluster.arn}",
                "task_definition": "${aws_ecs_task_definition.web.arn}",
                "desired_count": 0,
            },
        },
    },
}

aside = arguments.outdir.with_suffix(".new")
shutil.rmtree(aside, ignore_errors=True)
for stack, resources in stacks.items():
    configuration: Block = {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}},
            "backend": {
                "s3": {"bucket": BUCKET, "key": f"{stack}.tfstate", "region": REGION, "use_lockfile": True}
            },
        },
        "provider": {"aws": [PROVIDER]},
        "resource": resources,
    }
    if stack == "dev-service":
        configuration["data"] = {"aws_ssm_parameter": {"release": {"name": "/oaktree/dev/releases/web"}}}
    directory = aside / "stacks" / stack
    directory.mkdir(parents=True)
    (directory / "cdk.tf.json").write_text(json.dumps(configuration))
shutil.rmtree(arguments.outdir, ignore_errors=True)
aside.replace(arguments.outdir)
