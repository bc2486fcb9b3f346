"""How long a review takes, and that it grows with the plan and no faster.

Every figure is of whole processes (`python -m review`, with comment, summary and verdict), the median of
several runs that take turns. The plans are made up, of changes such as this project's stacks have, with
policies and container definitions in them. The table goes to the terminal and to `.oaktree/bench-review.md`;
with `--smallest`, which only shows that everything works, to the terminal alone.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.places import ROOT

RESULT: Final = ROOT / ".oaktree" / "bench-review.md"
WANTED_OF: Final = 3_000
WANTED_SECONDS: Final = 1.5
WANTED_GROWTH: Final = 1.5
"""How much more a further resource of the largest plan may cost than one of the smaller plans."""

PREFIX: Final = "arn:aws:dynamodb:eu-west-1:111122223333:table"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: plans by their resources, and rounds."""

    plans: Sequence[int]
    rounds: int


WHOLE: Final = Size((300, 1_000, WANTED_OF, 10_000), 5)
SMALLEST: Final = Size((30, 100, 300), 1)


@dataclass(frozen=True)
class Row:
    """What was measured of one plan: its resources, its bytes, the seconds of each run."""

    resources: int
    size: int
    runs: Sequence[float]

    @property
    def wall(self) -> float:
        """Median seconds."""
        return statistics.median(self.runs)


def main() -> None:
    """Measure, print the table and write it to a file."""
    parser = argparse.ArgumentParser(description="Measure reviews.")
    parser.add_argument("--smallest", action="store_true", help="only show that everything works")
    size = SMALLEST if parser.parse_args().smallest else WHOLE
    with tempfile.TemporaryDirectory(prefix="bench-review-") as directory:
        text = report(*measure(Path(directory), size))
    if size is WHOLE:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    print(text)


def measure(directory: Path, size: Size) -> tuple[Sequence[float], Sequence[Row]]:
    """The seconds of `--help`, and a row for each plan."""
    files = {count: directory / f"dev{count}-service.json" for count in size.plans}
    for count, file in files.items():
        file.write_text(json.dumps(plan(count), separators=(",", ":")) + "\n")
    out = [
        argument
        for option in ("comment", "summary", "json")
        for argument in (f"--{option}", str(directory / f"out.{option}"))
    ]
    starts: list[float] = []
    runs: dict[int, list[float]] = {count: [] for count in size.plans}
    _run("--help")
    for number in range(size.rounds):
        print(f"bench-review: round {number + 1} of {size.rounds}", file=sys.stderr)
        starts.append(_run("--help"))
        for count, file in files.items():
            (directory / "out.summary").unlink(missing_ok=True)
            runs[count].append(_run(str(file), *out))
    return starts, [Row(count, file.stat().st_size, runs[count]) for count, file in files.items()]


def report(starts: Sequence[float], rows: Sequence[Row]) -> str:
    """The table, and under it what was wanted beside what was found."""
    start = statistics.median(starts)
    lines = [
        (
            f"Python {platform.python_version()}, {len(starts)} rounds; {start * 1000:,.0f} ms of each run "
            "is the start (`python -m review --help`)"
        ),
        "",
        "| resources | MB | ms (median) | min to max | MB/s | ms per 1,000 resources without the start |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        megabytes = row.size / 1e6
        lines.append(
            f"| {row.resources:,} | {megabytes:.2f} | {row.wall * 1000:,.0f} "
            f"| {min(row.runs) * 1000:,.0f} to {max(row.runs) * 1000:,.0f} | {megabytes / row.wall:.1f} "
            f"| {(row.wall - start) / row.resources * 1e6:,.0f} |"
        )
    steps = [
        (one, other, (other.wall - one.wall) / (other.resources - one.resources))
        for one, other in pairwise(rows)
    ]
    lines += [
        "",
        "| from | to | ms for each further 1,000 resources | x the first |",
        "|---:|---:|---:|---:|",
    ]
    for one, other, slope in steps:
        times = slope / steps[0][2]
        lines.append(f"| {one.resources:,} | {other.resources:,} | {slope * 1e6:,.0f} | {times:.2f} |")
    growth = steps[-1][2] / statistics.mean(slope for *_, slope in steps[:-1])
    lines += [
        "",
        "| figure | found | wanted | |",
        "|---|---:|---:|---|",
        *(
            _finding(f"seconds for {WANTED_OF:,} resources", row.wall, WANTED_SECONDS)
            for row in rows
            if row.resources == WANTED_OF
        ),
        _finding("growth: the last step to those before", growth, WANTED_GROWTH),
    ]
    return "\n".join(lines) + "\n"


def plan(count: int) -> dict[str, Any]:
    """A plan of so many resources, of which two in three change."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.14.0",
        "resource_changes": [_resource(number) for number in range(count)],
        "output_changes": {},
        "complete": True,
        "errored": False,
    }


def _finding(name: str, found: float, most: float) -> str:
    return f"| {name} | {found:.2f} | at most {most:g} | {'kept' if found <= most else 'missed'} |"


def _run(*arguments: str) -> float:
    command = (sys.executable, "-m", "review", *arguments)
    started = time.perf_counter()
    process = subprocess.run(command, cwd=ROOT, env=_environ(), capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"{' '.join(command[1:4])} ended with status {process.returncode}: {process.stderr}")
    return wall


def _environ() -> Mapping[str, str]:
    """The environment of a person, to whom Python keeps the bytecode of modules."""
    odd = ("GITHUB_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(odd)}


def _resource(number: int) -> dict[str, Any]:
    """One of six kinds; of each kind, all actions come in turn."""
    makers = (_task, _role_policy, _rule, _table, _logs, _alarm)
    kind, before, after, path = makers[number % len(makers)](number)
    turn = number // len(makers) % 12
    name = f"{kind}.service[{json.dumps(f'team-{number % 40}-{number}')}]"
    tags = {"Name": f"thing-{number}", "Environment": "dev", "Team": f"team-{number % 40}"}
    common = {
        "id": f"thing-{number}",
        "region": "eu-west-1",
        "tags": tags,
        "tags_all": tags | {"Owner": "us"},
    }
    change: dict[str, Any] = {"actions": ["update"], "before": common | before, "after": common | after}
    change |= {"after_unknown": {}, "before_sensitive": {"tags": {}}, "after_sensitive": {"tags": {}}}
    if turn < 4:
        change |= {"actions": ["no-op"], "after": change["before"]}
    elif turn < 6:
        unknown = {"id": True, "arn": True}
        change |= {"actions": ["create"], "before": None, "before_sensitive": False, "after_unknown": unknown}
        change["after"] = {key: value for key, value in change["after"].items() if key not in unknown}
    elif turn == 6:
        change |= {"actions": ["delete"], "after": None, "after_sensitive": False}
    elif turn == 7:
        change |= {"actions": ["delete", "create"], "replace_paths": [[path]], "after_unknown": {"arn": True}}
    return {
        "address": f'module.app["team-{number % 40}"].{name}',
        "module_address": f'module.app["team-{number % 40}"]',
        "mode": "managed",
        "type": kind,
        "name": "service",
        "index": f"team-{number % 40}-{number}",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": change,
    }


_Made = tuple[str, dict[str, Any], dict[str, Any], str]
"""A type, the values before and after, and the attribute that forces a replacement."""


def _task(number: int) -> _Made:
    def values(image: str) -> dict[str, Any]:
        return {
            "arn": f"arn:aws:ecs:eu-west-1:111122223333:task-definition/app-{number}:7",
            "family": f"app-{number}",
            "cpu": "512",
            "memory": "1024",
            "network_mode": "awsvpc",
            "requires_compatibilities": ["FARGATE"],
            "execution_role_arn": f"arn:aws:iam::111122223333:role/execution-{number}",
            "task_role_arn": f"arn:aws:iam::111122223333:role/task-{number}",
            "container_definitions": json.dumps([_container("web", image), _container("agent", "1.0")]),
        }

    return "aws_ecs_task_definition", values("1.4.0"), values("1.5.0"), "container_definitions"


def _container(name: str, tag: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/{name}:{tag}",
        "essential": True,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "environment": [
            {"name": f"SETTING_{index}", "value": f"value {index} of {name}"} for index in range(6)
        ],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:eu-west-1:111122223333:parameter/token"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"/app/{name}"}},
        "readonlyRootFilesystem": True,
    }


def _role_policy(number: int) -> _Made:
    def values(*further: str) -> dict[str, Any]:
        read = {"Sid": "Read", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query", *further]}
        write = {"Sid": "Log", "Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
        statements = [{**read, "Resource": [f"{PREFIX}/t-{number}", f"{PREFIX}/t-{number}/index/*"]}, write]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return {"name": f"policy-{number}", "role": f"role-{number}", "policy": policy}

    return "aws_iam_role_policy", values(), values("dynamodb:PutItem"), "role"


def _rule(number: int) -> _Made:
    def values(port: int) -> dict[str, Any]:
        return {
            "description": f"from the load balancer to {number}",
            "from_port": port,
            "to_port": port,
            "ip_protocol": "tcp",
            "cidr_ipv4": f"10.{number % 256}.0.0/16",
            "security_group_id": f"sg-{number:017x}",
        }

    return "aws_vpc_security_group_ingress_rule", values(8080), values(8443), "security_group_id"


def _table(number: int) -> _Made:
    def values(hash_key: str) -> dict[str, Any]:
        return {
            "name": f"table-{number}",
            "billing_mode": "PAY_PER_REQUEST",
            "hash_key": hash_key,
            "attribute": [{"name": hash_key, "type": "S"}, {"name": "sk", "type": "S"}],
            "point_in_time_recovery": [{"enabled": True, "recovery_period_in_days": 35}],
            "server_side_encryption": [{"enabled": True, "kms_key_arn": f"{PREFIX}/key-{number}"}],
            "deletion_protection_enabled": True,
        }

    return "aws_dynamodb_table", values("pk"), values("id"), "hash_key"


def _logs(number: int) -> _Made:
    def values(days: int) -> dict[str, Any]:
        return {"name": f"/app/{number}", "retention_in_days": days, "log_group_class": "STANDARD"}

    return "aws_cloudwatch_log_group", values(30), values(90), "name"


def _alarm(number: int) -> _Made:
    def values(threshold: int) -> dict[str, Any]:
        return {
            "alarm_name": f"alarm-{number}",
            "alarm_actions": [f"arn:aws:sns:eu-west-1:111122223333:alarms-{number % 40}"],
            "comparison_operator": "GreaterThanThreshold",
            "dimensions": {"ClusterName": "main", "ServiceName": f"app-{number}"},
            "evaluation_periods": 3,
            "metric_name": "CPUUtilization",
            "namespace": "AWS/ECS",
            "period": 60,
            "statistic": "Average",
            "threshold": threshold,
        }

    return "aws_cloudwatch_metric_alarm", values(80), values(70 + number % 7), "alarm_name"


if __name__ == "__main__":
    main()
