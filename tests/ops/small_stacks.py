"""A stand-in for `main.py`, whose stacks the real Terraform applies in no time.

They are made of Terraform's built-in `terraform_data`: the AWS provider needs seconds of CPU time in each
command, to read its own schema. What commands find in AWS beside the states is put there by provisioners,
which run this program again. It uses the standard library only, since each of them starts a Python.

    main.py --environments DIRECTORY --outdir DIRECTORY    as the real one
    main.py make THING                                     what a provisioner does
    main.py named                                          gives resources in a plan or state AWS's types

In the directory of the environments, `network.txt` and `service.txt` are a content of these stacks, for a
test to change, and `wait` keeps the foundation from being done. If there is a `zones.txt`, the network has
a connection for each zone in it, which the service uses. If there is a `before.txt`, the service has a task
definition of `before_deploy`, which changes with each release and with that content.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

ACCOUNT = "111111111111"
REGION = "eu-central-1"
BUCKET = f"oaktree-state-{ACCOUNT}-{REGION}"
TABLE = "oaktree-dev-status"
NAME = "oaktree-dev-web"
CLUSTER = "oaktree-dev"
ROLE = f"{NAME}-task"
RECORD = "/oaktree/dev/releases/web"
DEFINITION = "aws_ecs_task_definition-web"
BEFORE = f"{DEFINITION}_before_deploy"
TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "ecr": "AmazonEC2ContainerRegistry_V20150921",
    "ecs": "AmazonEC2ContainerServiceV20141113",
    "ssm": "AmazonSSM",
}

Block = dict[str, Any]


def main() -> None:
    """Write the stacks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--outdir", type=Path, required=True)
    arguments = parser.parse_args()
    environments: Path = arguments.environments
    aside = arguments.outdir.with_suffix(".new")
    shutil.rmtree(aside, ignore_errors=True)
    project = tomllib.loads((environments / "project.toml").read_text())
    write(aside, "foundation", foundation(project["protected"]))
    zones = environments / "zones.txt"
    offered, used = connections(zones.read_text().split()) if zones.exists() else ({}, {})
    network = {"network": {"input": sensitive((environments / "network.txt").read_text())}}
    write(aside, "dev-network", network, **offered)
    write(aside, "dev-data", {"aws_dynamodb_table-status": made("table")})
    number = recorded_releases(arguments.outdir.parent / ".oaktree/local")
    resources = service((environments / "service.txt").read_text(), number)
    if (content := environments / "before.txt").exists():
        resources |= before_deploy(f"{number} {content.read_text()}")
    write(aside, "dev-service", resources, **used)
    shutil.rmtree(arguments.outdir, ignore_errors=True)
    aside.replace(arguments.outdir)


def write(directory: Path, stack: str, resources: Block, **further: Block) -> None:
    """Write one stack with the project's backend, and further sections of its configuration."""
    backend = {"bucket": BUCKET, "key": f"{stack}.tfstate", "region": REGION, "use_lockfile": True}
    configuration = {
        "terraform": {"backend": {"s3": backend}},
        "resource": {"terraform_data": resources},
        **further,
    }
    file = directory / "stacks" / stack / "cdk.tf.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(configuration))


def sensitive(content: str) -> str:
    """An expression that Terraform shows to nobody; another expression is left as it is."""
    return content if content.startswith("${") else f'${{sensitive("{content}")}}'


def connections(zones: list[str]) -> tuple[Block, Block]:
    """What the network offers of each zone, and how the service reads it: as the real stacks do."""
    ids = {f"private_subnet_{zone}": f"subnet-{zone}" for zone in zones}
    listed = ", ".join(f'"{key}"' for key in ids)
    there = "data.terraform_remote_state.dev-network.outputs.connections"
    config = {"bucket": BUCKET, "key": "dev-network.tfstate", "region": REGION}
    source = {"backend": "s3", "config": config, "defaults": {"connections": {}}}
    named = "ENV=dev STACK=network"
    asserted = {
        "condition": "${length(local.lacking) == 0}",
        "error_message": 'dev-service waits for dev-network: it has no ${join(", ", local.lacking)} yet. '
        f"Apply it first: `make plan {named} && make apply {named}`.",
    }
    used = {
        "data": {"terraform_remote_state": {"dev-network": source}},
        "locals": {
            "lacking": f'${{[for key in [{listed}] : key if lookup({there}, key, "") == ""]}}',
            "subnets": [f'${{lookup({there}, "{key}", "dev-network has no {key} yet")}}' for key in ids],
        },
        "check": {"waits_for_dev-network": {"assert": [asserted]}},
        "output": {"subnets": {"value": "${local.subnets}"}},
    }
    return {"output": {"connections": {"value": ids}}}, used


def foundation(protected: bool) -> Block:
    """State and registry."""
    return {
        "state": {"input": protected, **made("bucket", "no bucket")},
        "web": {"input": protected, **made("repository", "no repository")},
    }


def service(content: str, number: int) -> Block:
    """What an app needs to run: its task definition, cluster and service.

    As on AWS a new record replaces the task definition, which changes the service in place.
    """
    return {
        "aws_iam_role-task": {"input": content, "triggers_replace": ROLE, **made("role")},
        "aws_ecs_cluster-cluster": made("cluster"),
        DEFINITION: {
            "input": {"family": NAME},
            "triggers_replace": number,
            "depends_on": ["terraform_data.aws_iam_role-task"],
            **made("definition"),
        },
        "aws_ecs_service-web_service": {
            "input": {
                "name": NAME,
                "definition": f"${{terraform_data.{DEFINITION}.id}}",
                "network_configuration": [{"subnets": ["subnet-1"]}],
            },
            "depends_on": ["terraform_data.aws_ecs_cluster-cluster"],
            **made("service"),
        },
    }


def before_deploy(content: str) -> Block:
    """The task definition of what runs before each deployment, and what its tasks need."""
    return {
        BEFORE: {
            "input": {"family": f"{NAME}-before-deploy"},
            "triggers_replace": content,
            "depends_on": ["terraform_data.aws_iam_role-task"],
            **made("definition before"),
        },
        "aws_security_group-web_task_group": {"input": {"id": "sg-1"}},
        "aws_vpc_security_group_egress_rule-web_task_to_internet": {"input": {"to_port": 443}},
    }


def made(thing: str, undone: str = "") -> Block:
    """The provisioners of a resource that comes, and goes, with something in AWS."""
    command = f"exec '{sys.executable}' -IS '{Path(__file__).absolute()}' make"
    provisioners = [{"local-exec": {"command": f"{command} '{thing}'"}}]
    if undone:
        provisioners.append({"local-exec": {"command": f"{command} '{undone}'", "when": "destroy"}})
    return {"provisioner": provisioners}


def recorded_releases(local: Path) -> int:
    """How many releases were recorded: one where there is none yet, which is the first one then.

    On an embedded AWS that is about to be started once more it is the one seen last.
    """
    seen, embedded = local / "record-seen", local / "embedded.json"
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint and embedded.exists():
        endpoint = json.loads(embedded.read_text())["endpoint"]
    if not endpoint:
        return 1
    try:
        records = ask("ssm", "GetParameters", {"Names": [RECORD]}, endpoint)["Parameters"]
        if records:
            records = ask("ssm", "GetParameterHistory", {"Name": RECORD}, endpoint)["Parameters"]
    except ConnectionRefusedError:
        return int(seen.read_text()) if seen.exists() else 1
    # A version that says what became of a release is no other release.
    found = sum('"state": "recorded"' in each["Value"] for each in records) or 1
    local.mkdir(parents=True, exist_ok=True)
    seen.write_text(str(found))
    return found


def make_bucket() -> None:
    """The bucket of the states."""
    while (Path(__file__).parent / "environments/wait").exists():
        time.sleep(0.01)
    location = f"<LocationConstraint>{REGION}</LocationConstraint>"
    send("s3", "PUT", f"/{BUCKET}", {}, f"<CreateBucketConfiguration>{location}</CreateBucketConfiguration>")


def trust() -> Block:
    """Lets a task assume its role."""
    principal = {"Service": "ecs-tasks.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "2012-10-17", "Statement": [statement]}


def make_role() -> None:
    """The role of the app, and of what starts it; it may do all that these stacks hold."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    services = ("cloudwatch", "dynamodb", "ecr", "ecs", "logs", "secretsmanager", "ssm")
    allowed = {"Effect": "Allow", "Action": [f"{each}:*" for each in services], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    for asked in (
        {"Action": "CreateRole", "AssumeRolePolicyDocument": json.dumps(trust())},
        {"Action": "PutRolePolicy", "PolicyName": "own", "PolicyDocument": json.dumps(policy)},
    ):
        named = {"RoleName": ROLE, "Version": "2010-05-08"}
        send("iam", "POST", "/", form, urlencode(asked | named))


def make_table() -> None:
    """The app's table."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    ask(
        "dynamodb",
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        },
    )


def register(family: str) -> str:
    """Makes a revision of a task definition for what is recorded, and returns its ARN."""
    (record,) = ask("ssm", "GetParameters", {"Names": [RECORD]})["Parameters"]
    release = json.loads(record["Value"])
    definition = {
        "family": family,
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        "containerDefinitions": [container(release["image"], release["commit"])],
    }
    return str(ask("ecs", "RegisterTaskDefinition", definition)["taskDefinition"]["taskDefinitionArn"])


def make_definition() -> None:
    """A revision of the task definition, and the service has it if it is there."""
    made = register(NAME)
    there = ask("ecs", "DescribeServices", {"cluster": CLUSTER, "services": [NAME]})["services"]
    if there:
        update = {"cluster": CLUSTER, "service": NAME, "taskDefinition": made}
        ask("ecs", "UpdateService", update)


def make_service() -> None:
    """The ECS service, which runs the newest revision."""
    wanted = {"cluster": CLUSTER, "serviceName": NAME, "taskDefinition": NAME, "desiredCount": 0}
    ask("ecs", "CreateService", wanted)


MAKE: Mapping[str, Callable[[], object]] = {
    "bucket": make_bucket,
    "no bucket": lambda: send("s3", "DELETE", f"/{BUCKET}", {}, ""),
    "repository": lambda: ask("ecr", "CreateRepository", {"repositoryName": "oaktree/web"}),
    "no repository": lambda: ask("ecr", "DeleteRepository", {"repositoryName": "oaktree/web", "force": True}),
    "role": make_role,
    "table": make_table,
    "cluster": lambda: ask("ecs", "CreateCluster", {"clusterName": CLUSTER}),
    "definition": make_definition,
    "definition before": lambda: register(f"{NAME}-before-deploy"),
    "service": make_service,
}


def container(image: str, commit: str) -> Block:
    """The app's container, with every variable its contract asks for."""
    variables = {
        "ENVIRONMENT": "dev",
        "SERVICE": "web",
        "AWS_REGION": REGION,
        "TABLE": TABLE,
        "CLUSTER": CLUSTER,
        "COMPONENTS": json.dumps(
            [
                {"id": "services.web", "kind": "web", "name": "Web", "group": "Services", "resource": NAME},
                {"id": "status.table", "kind": "storage", "name": "T", "group": "App", "resource": TABLE},
            ]
        ),
        "CHECK_INTERVAL": "1",
        "IMAGE": image,
        "COMMIT": commit,
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
        "image": image,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "memory": 128,
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
        "secrets": [{"name": "WRITE_TOKEN_SHA256", "valueFrom": parameter}],
    }


def ask(service: str, action: str, asked: Block, endpoint: str = "") -> Any:
    """Make a request of one of AWS's JSON protocols; returns the answer."""
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"{TARGETS[service]}.{action}",
    }
    return json.loads(send(service, "POST", "/", headers, json.dumps(asked), endpoint))


def send(
    service: str, method: str, path: str, headers: Mapping[str, str], body: str, endpoint: str = ""
) -> bytes:
    """Make a request; the embedded AWS wants to see whose it is, and no signature."""
    address = urlsplit(endpoint or os.environ["AWS_ENDPOINT_URL"])
    scope = f"AKIA{ACCOUNT}/20260101/{REGION}/{service}/aws4_request"
    own = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
        "User-Agent": "Terraform",
    }
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.request(method, path, body, {**headers, **own})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    # What an interrupted provisioner has made is there already.
    if answer.status >= 300 and not re.search(rb"AlreadyExists|AlreadyOwned|ResourceInUse", content):
        sys.exit(f"{service}: {answer.status} {content.decode()}")
    return content


def named() -> None:
    """Print the plan or state that Terraform gave with the types that resources have in the real stacks."""
    document = json.load(sys.stdin)
    resources, changes = document.get("resources", ()), document.get("resource_changes", ())
    for change in changes:
        change["change"]["after"] = (change["change"]["after"] or {}).get("input")
    for instance in (each for resource in resources for each in resource["instances"]):
        instance["attributes"] = (instance["attributes"]["input"] or {}).get("value")
    for found in (*resources, *changes):
        kind, _, name = found["name"].partition("-")
        found |= {"type": kind, "name": name, "address": f"{kind}.{name}"}
        if kind == "aws_ecs_task_definition" and "instances" in found:
            for instance in found["instances"]:
                attributes = instance["attributes"]
                asked = {"familyPrefix": attributes["family"], "status": "ACTIVE"}
                arns = ask("ecs", "ListTaskDefinitions", asked)["taskDefinitionArns"]
                own = [arn for arn in arns if f"/{attributes['family']}:" in arn]
                attributes["arn"] = max(own, key=lambda arn: int(arn.rpartition(":")[2]), default="")
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", thing]:
            MAKE[thing]()
        case ["named"]:
            named()
        case _:
            main()
