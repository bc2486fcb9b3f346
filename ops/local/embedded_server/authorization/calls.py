"""What a request takes in permissions: actions, the resources they are on, and the request's context.

`tables` has what is known of each action, and its sources; AWS Service Authorization Reference has the
condition keys.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from ops.local.embedded_server.authorization import tables
from ops.local.embedded_server.authorization.requests import Request

_ID: Final = re.compile(r"Ids?(?:\.\d+)?$")
_MEMBER: Final = re.compile(r"\.member\.\d+$")
_TAG_KEY: Final = re.compile(r"(.*\bTags?\.(?:member\.|entry\.)?\d+)\.(?:Key|TagKey)")

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Call:
    """An action on one resource.

    `resources` are the ARNs that a policy may name it by, none for an action that knows no resources;
    `owner` is the account of a resource that has a policy of its own.
    """

    action: str
    resources: tuple[str, ...] = ()
    context: Context = field(default_factory=dict)
    owner: str | None = None


class Inventory(Protocol):
    """What is there when a request comes."""

    def tags(self, account_id: str, region: str, identifier: str) -> Mapping[str, str]:
        """Returns the tags of an EC2 resource by its id, or of a certificate, secret, ... by its ARN."""

    def associated(self, account_id: str, region: str, association_id: str) -> Sequence[str]:
        """Returns the ids of the EC2 resources that an association joins."""

    def boundary(self, account_id: str, role: str) -> str | None:
        """Returns the ARN of a role's permissions boundary."""

    def owner(self, arn: str) -> str | None:
        """Returns the account that a bucket or repository belongs to."""

    def sources(self, arn: str) -> Sequence[str]:
        """Returns the ARNs of the queues whose dead-letter queue this is."""

    def file_system(self, account_id: str, region: str, mount_target: str) -> str | None:
        """Returns the id of the file system of a mount target."""


def calls(request: Request, account_id: str, inventory: Inventory) -> Iterator[Call]:
    """Yields everything that the account must be allowed to do for a request."""
    service = tables.PREFIXES.get(request.service, request.service)
    action = f"{service}:{request.operation}"
    action = tables.ACTIONS.get(action, action)
    versions = request.arguments.get("versionId"), *(each["VersionId"] for each in _objects(request))
    if action in ("s3:GetObject", "s3:DeleteObject") and any(versions):
        action += "Version"
    if request.operation in ("TransactGetItems", "TransactWriteItems"):
        # Source: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions".
        for kind, part in (item for each in request.arguments["TransactItems"] for item in each.items()):
            yield Call(f"dynamodb:{kind}Item", (f"{_start(request, account_id)}table/{part['TableName']}",))
        return
    tags = _request_tags(request.arguments)
    context: dict[str, tuple[str, ...]] = {"aws:SecureTransport": ("true",), **_special(request, account_id)}
    if (role := request.arguments.get("RoleName")) and (boundary := inventory.boundary(account_id, role)):
        context["iam:PermissionsBoundary"] = (boundary,)
    tagged: dict[str, tuple[str, ...]] = {f"aws:RequestTag/{key}": (value,) for key, value in tags.items()}
    if tags:
        tagged["aws:TagKeys"] = tuple(tags)
    if service == "ec2":
        yield from _on_ec2(request, account_id, inventory, context, tagged)
    else:
        request = _with_resource(request, account_id, inventory)
        for resources in _resources(service, action, request, account_id):
            here = context
            if service in ("acm", "elasticfilesystem", "secretsmanager", "servicediscovery"):
                tags_of = [inventory.tags(account_id, request.region, each) for each in resources]
                here = context | _resource_tags(tags_of)
                if service == "secretsmanager":
                    here = here | _resource_tags(tags_of, "secretsmanager")
            owner = inventory.owner(resources[0]) if resources else None
            yield Call(action, resources, here | tagged, owner)
            if tags and (tagging := tables.TAGGING.get(action)) and _is_new(request, resources):
                # Of what AWS names itself, only a certificate is created with tags.
                new = (f"{_start(request, account_id)}certificate/new",)
                named = resources or _resources(service, tagging, request, account_id)[0]
                yield Call(tagging, named or new, here | tagged)
        for argument, end in tables.ALSO.get(action, ()):
            if name := request.arguments.get(argument, tables.UNNAMED.get((action, argument))):
                yield Call(action, (f"{_start(request, account_id)}{end.format(name)}",), context | tagged)
    yield from _dependent(action, request, account_id)
    yield from _on_others(action, request, account_id, inventory)


def _with_resource(request: Request, account_id: str, inventory: Inventory) -> Request:
    """Returns a request that names its resource, where it names only something that belongs to that."""
    arguments = request.arguments
    if request.operation == "CancelMessageMoveTask":
        task = json.loads(base64.b64decode(str(arguments["TaskHandle"])))
        return replace(request, arguments={"SourceArn": task["sourceArn"]})
    if request.operation == "DescribeFileSystems" and not arguments.get("FileSystemId"):
        # EFS asks for all of them, whether or not a token leaves one.
        return replace(request, arguments={**arguments, "FileSystemId": "*"})
    if request.service == "elasticfilesystem" and (mount_target := arguments.get("MountTargetId")):
        file_system = inventory.file_system(account_id, request.region, str(mount_target))
        return replace(request, arguments={**arguments, "FileSystemId": file_system or "new"})
    return request


def _is_new(request: Request, resources: tuple[str, ...]) -> bool:
    """Returns whether a request creates a resource, and does not only name it."""
    if request.service not in tables.EACH:
        return True
    kind = request.operation.removeprefix("Create").removeprefix("Cache").lower()
    return resources[0].split(":")[5] == kind


def _on_others(action: str, request: Request, account_id: str, inventory: Inventory) -> Iterator[Call]:
    """Yields what a request takes on resources besides its own."""
    arguments = request.arguments
    if source := str(arguments.get("CopySource", "")).lstrip("/").partition("?")[0]:
        arn = f"arn:aws:s3:::{source}"
        yield Call("s3:GetObject", (arn,), owner=inventory.owner(arn))
    if arguments.get("Tagging") and action == "s3:PutObject":
        yield Call("s3:PutObjectTagging", (f"arn:aws:s3:::{arguments['Bucket']}/{arguments['Key']}",))
    if action.startswith("dynamodb:Restore") and (table := arguments.get("TargetTableName")):
        for each in tables.RESTORED:
            yield Call(f"dynamodb:{each}", (f"{_start(request, account_id)}table/{table}",))
    if action == "sqs:StartMessageMoveTask":
        queue, target = str(arguments["SourceArn"]), arguments.get("DestinationArn")
        for each in tables.MOVED:
            yield Call(f"sqs:{each}", (queue,), owner=inventory.owner(queue))
        for each in [str(target)] if target else inventory.sources(queue):
            yield Call("sqs:SendMessage", (each,), owner=inventory.owner(each))


def _on_ec2(
    request: Request, account_id: str, inventory: Inventory, context: Context, tagged: Context
) -> Iterator[Call]:
    """Yields a call for each resource, since EC2 asks for permission on all of them."""
    operation, arguments = request.operation, request.arguments
    action, start = f"ec2:{operation}", _start(request, account_id)
    ids: list[str] = []
    if not operation.startswith("Describe"):
        only = tables.EC2_ONLY.get(operation)
        names = [name for name in arguments if name in only] if only else filter(_ID.search, arguments)
        for value in (str(arguments[name]) for name in names):
            ids += inventory.associated(account_id, request.region, value) or [value]
    found = False
    for identifier in dict.fromkeys(ids):
        if kind := tables.EC2_TYPES.get(identifier.partition("-")[0] if "-" in identifier else ""):
            found = True
            here = _resource_tags([inventory.tags(account_id, request.region, identifier)])
            asked = tagged if operation in ("CreateTags", "DeleteTags") else {}
            yield Call(action, (f"{start}{kind}/{identifier}",), {**context, **asked, **here})
    if kind := tables.EC2_CREATED.get(operation):
        found = True
        new = (f"{start}{kind}/new",)
        yield Call(action, new, {**context, **tagged})
        if tagged:
            yield Call("ec2:CreateTags", new, {**context, **tagged, "ec2:CreateAction": (operation,)})
    if not found:
        # AWS asks about an association that is gone on any resource; about other actions on none.
        gone = (f"{start}*/*",) if operation == "DisassociateAddress" else ()
        yield Call(action, gone, context)


def _dependent(action: str, request: Request, account_id: str) -> Iterator[Call]:
    if action in tables.PASSED:
        names, service = tables.PASSED[action]
        for role in filter(None, (_argument(request.arguments, name) for name in names)):
            yield Call("iam:PassRole", (str(role),), {"iam:PassedToService": (service,)})
    if action == "ecs:RunTask" and request.arguments.get("propagateTags"):
        task = f"{_start(request, account_id)}task/{request.arguments['cluster'].rpartition('/')[2]}/new"
        yield Call("ecs:TagResource", (task,), {"ecs:CreateAction": ("RunTask",)})
    behind = [*tables.BEHIND.get(action, ())]
    if request.service == "rds" and request.arguments.get("ManageMasterUserPassword") == "true":
        behind += tables.MANAGED_SECRET
    if action == "rds:ModifyDBInstance" and request.arguments.get("RotateMasterUserPassword") == "true":
        behind.append(tables.ROTATED_SECRET)
    for needed, form in behind:
        arn = form.format(region=request.region, account=account_id)
        yield Call(needed, (arn,) if arn else ())
    if action in tables.ALARMS:
        named = f"TargetTracking-{request.arguments.get('ResourceId')}-AlarmHigh-0"
        arn = f"arn:aws:cloudwatch:{request.region}:{account_id}:alarm:{named}"
        yield Call(tables.ALARMS[action], (arn,), owner=account_id)
    if action in tables.LINKED:
        service, name = tables.LINKED[action]
        arn = f"arn:aws:iam::{account_id}:role/aws-service-role/{service}/{name}"
        yield Call("iam:CreateServiceLinkedRole", (arn,), {"iam:AWSServiceName": (service,)})


def _argument(arguments: Mapping[str, Any], path: str) -> Any:
    """Returns an argument, or a part of one that dots lead to; a number is a place in a list."""
    found: Any = arguments
    for name in path.split("."):
        if isinstance(found, list) and name.isdecimal():
            found = found[int(name)] if int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _special(request: Request, account_id: str) -> dict[str, tuple[str, ...]]:
    """Returns the context keys of a service's own that policies here use."""
    arguments = request.arguments
    found: dict[str, tuple[str, ...]] = {}
    if boundary := arguments.get("PermissionsBoundary"):
        found["iam:PermissionsBoundary"] = (boundary,)
    if request.service == "route53" and (changes := arguments.get("Changes")):
        key = "route53:ChangeResourceRecordSets"
        found[f"{key}NormalizedRecordNames"] = tuple(each["Name"].lower().rstrip(".") for each in changes)
        found[f"{key}RecordTypes"] = tuple(each["Type"] for each in changes)
        found[f"{key}Actions"] = tuple(each["Action"] for each in changes)
    if request.service == "application-autoscaling":
        for name, key in (
            ("ServiceNamespace", "service-namespace"),
            ("ScalableDimension", "scalable-dimension"),
        ):
            if value := arguments.get(name):
                found[f"application-autoscaling:{key}"] = (str(value),)
    if request.service == "s3" and "prefix" in arguments:
        found["s3:prefix"] = (str(arguments["prefix"]),)
    if request.service == "sns" and request.operation == "Subscribe":
        found["sns:Protocol"] = (str(arguments.get("Protocol", "")),)
        found["sns:Endpoint"] = (str(arguments.get("Endpoint", "")),)
    if request.service == "acm" and (domain := arguments.get("DomainName")):
        found["acm:DomainNames"] = (domain, *arguments.get("SubjectAlternativeNames", ()))
    if request.service == "ecs" and (cluster := str(arguments.get("cluster", ""))):
        name = cluster.rpartition("/")[2]
        found["ecs:cluster"] = (f"{_start(request, account_id)}cluster/{name}",)
    return found


def _resources(service: str, action: str, request: Request, account_id: str) -> Sequence[tuple[str, ...]]:
    """Returns the resources of a request; each has to be allowed, by any of its ARNs.

    A request that names several of a kind, such as GetParameters, is about each of them.
    """
    one: list[str] = []
    several: list[tuple[str, ...]] = []
    for arn, of_list in _named(service, action, request, account_id):
        if of_list:
            several.append((arn,))
        else:
            one.append(arn)
    return tuple(dict.fromkeys(several)) or (tuple(dict.fromkeys(one)),)


def _named(service: str, action: str, request: Request, account_id: str) -> Iterator[tuple[str, bool]]:
    """Yields the ARNs that a request names, and whether each is one of a list."""
    arguments = request.arguments
    start = _start(request, str(arguments.get("registryId", account_id)))
    if service == "s3":
        bucket = f"arn:aws:s3:::{arguments['Bucket']}" if "Bucket" in arguments else ""
        objects = _objects(request)
        yield from ((f"{bucket}/{each['Key']}", True) for each in objects)
        if bucket and not objects:
            yield f"{bucket}/{arguments['Key']}" if "Key" in arguments else bucket, False
    elif service == "route53":
        kind = "change" if action == "route53:GetChange" else "hostedzone"
        for label in ("HostedZoneId", "Id", "ResourceId"):
            if label in arguments:
                yield f"arn:aws:route53:::{kind}/{arguments[label]}", False
    elif action in tables.EVERY:
        return
    elif service == "cloudwatch" and (names := _dashboards(arguments)):
        # Dashboards are global.
        yield from ((f"arn:aws:cloudwatch::{account_id}:dashboard/{name}", len(names) > 1) for name in names)
    elif form := tables.CREATED.get(action):
        yield start + form.format(**arguments), False
    elif service in tables.EACH:
        for name, end in tables.EACH[service]:
            for value in _values(name, arguments):
                yield value if value.startswith("arn:") else start + end.format(value), True
        if action == "elasticache:CreateReplicationGroup" and "CacheParameterGroupName" not in arguments:
            major = str(arguments.get("EngineVersion", "")).partition(".")[0]
            yield f"{start}parametergroup:default.{arguments.get('Engine', 'redis')}{major}", True
    elif service == "dynamodb" and (index := arguments.get("IndexName")):
        yield f"{start}table/{arguments.get('TableName')}/index/{index}", False
    elif service == "dynamodb" and "RequestItems" in arguments:
        yield from ((f"{start}table/{table}", True) for table in arguments["RequestItems"])
    elif service not in tables.RESOURCES:
        yield from ((arn, False) for arn in _arns(arguments) if arn.startswith(f"arn:aws:{service}:"))
    else:
        found = ((*row, _values(row[0], arguments)) for row in tables.RESOURCES[service])
        argument, end, named = next((row for row in found if row[2]), ("", "", []))
        cluster = str(arguments.get("cluster", "")).rpartition("/")[2]
        is_listed = argument not in arguments or isinstance(arguments[argument], list)
        for value in named:
            if value.startswith("arn:"):
                yield value, is_listed
            elif service == "servicediscovery" and argument == "Id":
                # Ids of operations, which are no resources, have no such beginnings.
                if of_cloud_map := {"ns": "namespace", "srv": "service"}.get(value.partition("-")[0]):
                    yield f"{start}{of_cloud_map}/{value}", is_listed
            elif service == "elasticfilesystem" and argument == "ResourceId":
                kind = "access-point" if value.startswith("fsap-") else "file-system"
                yield f"{start}{kind}/{value}", is_listed
            elif argument == "QueueUrl" and "/" in value:
                *_, owner, name = value.split("/")
                yield f"arn:aws:sqs:{request.region}:{owner}:{name}", is_listed
            else:
                text = value.removeprefix("/") if service == "ssm" else value
                yield start + end.format(text, cluster=cluster), is_listed
        if argument == "logGroupName":
            stream = arguments.get("logStreamName", "")
            yield f"{start}log-group:{named[0]}:log-stream:{stream}", False


def _dashboards(arguments: Mapping[str, Any]) -> list[str]:
    """Returns the names of the dashboards of a request."""
    return _values("DashboardName", arguments) + _values("DashboardNames", arguments)


def _values(argument: str, arguments: Mapping[str, Any]) -> list[str]:
    """Returns the values of an argument, which the query protocol numbers if it is a list."""
    if found := _argument(arguments, argument):
        return [str(each) for each in found] if isinstance(found, list) else [str(found)]
    return [str(value) for name, value in arguments.items() if _MEMBER.sub("", name) == argument]


def _objects(request: Request) -> Sequence[Mapping[str, str]]:
    """Returns the objects that a DeleteObjects names."""
    return request.arguments.get("Objects", ()) if request.service == "s3" else ()


def _start(request: Request, account_id: str) -> str:
    service = tables.PREFIXES.get(request.service, request.service)
    region = "" if service == "iam" else request.region
    return f"arn:aws:{service}:{region}:{account_id}:"


def _request_tags(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Returns the tags that a request gives, from any of the forms in which AWS's APIs take them."""
    found = {}
    for argument, value in arguments.items():
        if match := _TAG_KEY.fullmatch(argument):
            found[str(value)] = str(arguments.get(f"{match[1]}.Value", ""))
        elif argument.lower() == "tags" and isinstance(value, Mapping):
            found |= {str(key): str(each) for key, each in value.items()}
        elif argument.lower() == "tags" and isinstance(value, list):
            for tag in value:
                plain = {key.lower(): each for key, each in tag.items()}
                # AWS Chatbot has words of its own.
                name = str(plain.get("key") or plain["tagkey"])
                found[name] = str(plain.get("value") or plain.get("tagvalue") or "")
    return found


def _resource_tags(all_tags: Any, prefix: str = "aws") -> dict[str, tuple[str, ...]]:
    return {f"{prefix}:ResourceTag/{key}": (value,) for tags in all_tags for key, value in tags.items()}


def _arns(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yields the ARNs among the plain arguments."""
    for value in arguments.values():
        if isinstance(value, str) and value.count(":") >= 5 and value.startswith("arn:"):
            yield value
