"""Who called which action of AWS on what, read from the journal of an embedded AWS.

Names of actions and forms of ARNs are those that policies use. Source: AWS Service Authorization
Reference; for S3, Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.session import Session

from ops.local.embedded_server.journal import Entry

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/([^/,]+)/([^/,]+)/aws4_request")
_ACCOUNT_KEY = re.compile(r"AKIA(\d{12})")

_PREFIXES = {"monitoring": "cloudwatch"}
"""Services whose policies call them otherwise than requests are signed for."""

_ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketLifecycle": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
}
"""Operations that need the permission of another name."""

_NAMED = {
    ("cloudwatch", "AlarmName"): "alarm:{}",
    ("cloudwatch", "AlarmNamePrefix"): "alarm:{}",
    ("dynamodb", "TableName"): "table/{}",
    ("ecr", "repositoryName"): "repository/{}",
    ("ecs", "cluster"): "cluster/{}",
    ("ecs", "clusterName"): "cluster/{}",
    ("ecs", "serviceName"): "service/{cluster}/{}",
    ("ecs", "service"): "service/{cluster}/{}",
    ("ecs", "services"): "service/{cluster}/{}",
    ("iam", "RoleName"): "role/{}",
    ("logs", "logGroupName"): "log-group:{}",
    ("rds", "DBSubnetGroupName"): "subgrp:{}",
    ("secretsmanager", "SecretId"): "secret:{}-000000",
    ("sns", "Name"): "{}",
    ("ssm", "Name"): "parameter{}",
    ("ssm", "Names"): "parameter{}",
    ("ssm", "Path"): "parameter{}",
}
"""What an argument names, by the end of its ARN."""

_CREATED = {
    "elasticloadbalancing:CreateLoadBalancer": "loadbalancer/app/{}/0",
    "elasticloadbalancing:CreateTargetGroup": "targetgroup/{}/0",
}
"""What an action creates, by its `Name`; the last part is AWS's to choose."""

_IN_TRANSACTION = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}
"""The permissions of a transaction are those of its parts.

Source: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions".
"""


@dataclass(frozen=True)
class Call:
    """One request. `resources` are the ARNs that a policy may name for it."""

    key: str
    action: str
    resources: tuple[str, ...]


def calls(
    directory: Path, accounts: Mapping[str, str], first: int = 0, last: int | None = None
) -> Iterator[Call]:
    """The requests that an embedded AWS with its memory in `directory` wrote down, between two counts.

    `accounts` says whose a key is that does not say so itself; others' requests are left out.
    """
    for entry in islice(_entries(directory), first, last):
        yield from _calls(entry, accounts)


def count(directory: Path) -> int:
    """How many requests were written down."""
    return sum(1 for _ in _entries(directory))


def keys(directory: Path, first: int = 0) -> frozenset[str]:
    """The keys that requests were signed with, from a count on."""
    found = (
        _CREDENTIAL.search(entry.environ.get("HTTP_AUTHORIZATION", ""))
        for entry in islice(_entries(directory), first, None)
    )
    return frozenset(match[1] for match in found if match)


def assumed_by_token(directory: Path, first: int = 0) -> Iterator[tuple[str, str, int]]:
    """Each role that was assumed with a token from a count on: its ARN, the token, for how many seconds."""
    for entry in islice(_entries(directory), first, None):
        if b"Action=AssumeRoleWithWebIdentity" in entry.body:
            arguments = dict(parse_qsl(entry.body.decode()))
            yield arguments["RoleArn"], arguments["WebIdentityToken"], int(arguments["DurationSeconds"])


def _entries(directory: Path) -> Iterator[Entry]:
    """The journal's entries, while it is being written: the last line may not be whole yet."""
    with (directory / "journal.jsonl").open("rb") as file:
        next(file)
        for line in file:
            if line.endswith(b"\n"):
                document = json.loads(line)
                yield Entry(body=base64.b64decode(document.pop("body")), **document)


def _calls(entry: Entry, accounts: Mapping[str, str]) -> Iterator[Call]:
    signed = _CREDENTIAL.search(entry.environ.get("HTTP_AUTHORIZATION", ""))
    if not signed:
        return
    key, region, service = signed.groups()
    own = _ACCOUNT_KEY.fullmatch(key)
    account = own[1] if own else accounts.get(key)
    if account is None:
        return
    service = _PREFIXES.get(service, service)
    operation, arguments = _asked(service, entry)
    parts = [(_ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}"), arguments)]
    if operation == "TransactWriteItems":
        items = (item for each in arguments["TransactItems"] for item in each.items())
        parts = [(_IN_TRANSACTION[kind], what) for kind, what in items]
    for action, what in parts:
        resources = tuple(dict.fromkeys(_resources(service, action, what, region, account)))
        yield Call(key, action, resources)


def _asked(service: str, entry: Entry) -> tuple[str, dict[str, Any]]:
    """The operation that a request asks for, and its arguments."""
    environ = entry.environ
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        arguments: dict[str, Any] = json.loads(entry.body or b"{}")
        return str(target).rpartition(".")[2], arguments
    if "urlencoded" in environ.get("CONTENT_TYPE", ""):
        form = dict(parse_qsl(entry.body.decode(), keep_blank_values=True))
        return form.pop("Action"), form
    path, query = environ["PATH_INFO"], dict(parse_qsl(environ.get("QUERY_STRING", ""), True))
    best: tuple[int, str, dict[str, Any]] | None = None
    headers = {name.removeprefix("HTTP_").replace("_", "-").lower() for name in environ}
    for name, method, pattern, wanted, needed in _operations(service):
        match = pattern.fullmatch(path)
        fits = method == environ["REQUEST_METHOD"] and wanted <= query.keys() and needed <= headers
        if match and fits:
            found = {label: unquote(value) for label, value in match.groupdict().items()}
            if best is None or len(wanted) > best[0]:
                best = len(wanted), name, found
    assert best, f"{service} has no operation {environ['REQUEST_METHOD']} {path} {query}"
    return best[1], best[2]


@cache
def _operations(
    service: str,
) -> tuple[tuple[str, str, re.Pattern[str], frozenset[str], frozenset[str]], ...]:
    """Operations, which are told by method, path, keys of the query, and headers that they need."""
    model = Session().get_service_model(service)
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        http = operation.http
        path, _, query = http["requestUri"].partition("?")
        wanted = {part.split("=")[0] for part in query.split("&") if part} - {"x-id"}
        shape = operation.input_shape
        required = [shape.members[each] for each in shape.required_members] if shape else []
        located = [(each.serialization.get("location"), each.serialization.get("name")) for each in required]
        wanted |= {str(name) for place, name in located if place == "querystring"}
        needed = {str(name).lower() for place, name in located if place == "header"}
        if service == "s3" and not path.startswith("/{Bucket}"):
            path = "/{Bucket}" + path if name != "ListBuckets" else path
        path = path.rstrip("/") or "/"
        pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", _label, re.escape(path))
        found.append((name, http["method"], re.compile(pattern + "/?"), frozenset(wanted), frozenset(needed)))
    return tuple(found)


def _label(match: re.Match[str]) -> str:
    return f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"


def _resources(
    service: str, action: str, arguments: Mapping[str, Any], region: str, account: str
) -> Iterator[str]:
    yield from (arn for arn in _arns(arguments) if arn.split(":")[2] == service)
    if service == "s3":
        if "Bucket" in arguments:
            bucket = f"arn:aws:s3:::{arguments['Bucket']}"
            yield f"{bucket}/{arguments['Key']}" if "Key" in arguments else bucket
        return
    if service == "route53":
        kind = "change" if action == "route53:GetChange" else "hostedzone"
        for label in ("HostedZoneId", "Id", "ResourceId"):
            if label in arguments:
                yield f"arn:aws:route53:::{kind}/{arguments[label]}"
        return
    region = "" if service == "iam" else region
    owner = arguments.get("registryId", account)
    start = f"arn:aws:{service}:{region}:{owner}:"
    cluster = str(arguments.get("cluster", "")).rpartition("/")[2]
    for name, value in arguments.items():
        plain = re.sub(r"\.member\.\d+$|s\.member\.\d+$", "", name)
        if form := _NAMED.get((service, plain)):
            for each in value if isinstance(value, list) else [value]:
                if not str(each).startswith("arn:"):
                    yield start + form.format(each, cluster=cluster)
    if service == "logs" and (group := arguments.get("logGroupName")):
        yield f"{start}log-group:{group}:log-stream:{arguments.get('logStreamName', '')}"
    if form := _CREATED.get(action):
        yield start + form.format(arguments["Name"])


def _arns(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        if tree.startswith("arn:"):
            yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _arns(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _arns(value)
