"""What a request takes in permissions: actions, the resources they are on, and the request's context.

A later kind of resource adds rows to the tables here.

Sources: AWS Service Authorization Reference, for actions, ARNs, condition keys and dependent actions;
Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; Amazon EC2 User Guide,
"Grant permission to tag Amazon EC2 resources during creation"; IAM User Guide, "Grant a user
permissions to pass a role to an AWS service".
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from ops.local.embedded_server.authorization.requests import Request

_PREFIXES: Final = {"monitoring": "cloudwatch"}
"""Services that policies name differently from the name that requests are signed for."""

_ACTIONS: Final = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
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
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListParts": "s3:ListMultipartUploadParts",
}
"""Operations that need the permission of another name."""

_RESOURCES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "acm": (("CertificateArn", "certificate/{}"),),
    "application-autoscaling": (("ResourceARN", "{}"),),
    "cloudwatch": (
        ("AlarmName", "alarm:{}"),
        ("AlarmNames", "alarm:{}"),
        ("AlarmNamePrefix", "alarm:{}"),
        ("ResourceARN", "{}"),
    ),
    # AWS Chatbot is global.
    "chatbot": (("ChatConfigurationArn", "{}"), ("ResourceARN", "{}")),
    "dynamodb": (
        ("TableName", "table/{}"),
        ("SourceTableName", "table/{}"),
        ("SourceTableArn", "{}"),
        ("BackupArn", "{}"),
        ("ResourceArn", "{}"),
    ),
    "ecr": (("repositoryNames", "repository/{}"), ("repositoryName", "repository/{}"), ("resourceArn", "{}")),
    "ecs": (
        ("services", "service/{cluster}/{}"),
        ("serviceName", "service/{cluster}/{}"),
        ("service", "service/{cluster}/{}"),
        ("tasks", "task/{cluster}/{}"),
        ("task", "task/{cluster}/{}"),
        ("resourceArn", "{}"),
        ("family", "task-definition/{}:0"),
        ("taskDefinition", "task-definition/{}"),
        ("clusterName", "cluster/{}"),
        ("clusters", "cluster/{}"),
        ("cluster", "cluster/{}"),
    ),
    "elasticfilesystem": (
        ("AccessPointId", "access-point/{}"),
        ("FileSystemId", "file-system/{}"),
        ("ResourceId", "{}"),
        ("MountTargetId", "{}"),
    ),
    "elasticloadbalancing": (
        ("LoadBalancerArn", "{}"),
        ("ListenerArn", "{}"),
        ("RuleArn", "{}"),
        ("TargetGroupArn", "{}"),
        ("ResourceArns", "{}"),
    ),
    "events": (("Rule", "rule/{}"), ("Name", "rule/{}"), ("ResourceARN", "{}")),
    "iam": (
        ("RoleName", "role/{}"),
        ("PolicyArn", "{}"),
        ("PolicyName", "policy/{}"),
        ("OpenIDConnectProviderArn", "{}"),
    ),
    "logs": (("logGroupName", "log-group:{}"), ("resourceArn", "{}"), ("logGroupIdentifier", "{}")),
    "rds": (
        ("TargetDBInstanceIdentifier", "db:{}"),
        ("DBInstanceIdentifier", "db:{}"),
        ("DBSnapshotIdentifier", "snapshot:{}"),
        ("DBParameterGroupName", "pg:{}"),
        ("DBSubnetGroupName", "subgrp:{}"),
        ("ResourceName", "{}"),
    ),
    "secretsmanager": (("SecretId", "secret:{}-000000"), ("Name", "secret:{}-000000")),
    "servicediscovery": (
        ("NamespaceId", "namespace/{}"),
        ("DnsConfig.NamespaceId", "namespace/{}"),
        ("Id", "{}"),
        ("ResourceARN", "{}"),
    ),
    # What concerns a subscription knows no resource.
    "sns": (("TopicArn", "{}"), ("ResourceArn", "{}"), ("Name", "{}")),
    "scheduler": (("Name", "schedule/default/{}"), ("ResourceArn", "{}")),
    "sqs": (("QueueName", "{}"), ("QueueUrl", "{}"), ("SourceArn", "{}")),
    "ssm": (
        ("Names", "parameter/{}"),
        ("Name", "parameter/{}"),
        ("Path", "parameter/{}"),
        ("ResourceId", "parameter/{}"),
    ),
    "states": (
        ("stateMachineArn", "{}"),
        ("executionArn", "{}"),
        ("resourceArn", "{}"),
        ("name", "stateMachine:{}"),
    ),
    "sts": (("RoleArn", "{}"),),
    # The id, which ends the ARN, is AWS's to choose.
    "wafv2": (
        ("WebACLArn", "{}"),
        ("ResourceArn", "{}"),
        ("ResourceARN", "{}"),
        ("Name", "regional/webacl/{}/0"),
    ),
}
"""What names the resource of a request, and the end of its ARN; of several arguments the first counts.

A dot leads into an argument.
"""

_EACH: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "elasticache": (
        ("CacheClusterId", "cluster:{}"),
        ("CacheParameterGroupName", "parametergroup:{}"),
        ("CacheSubnetGroupName", "subnetgroup:{}"),
        ("ReplicationGroupId", "replicationgroup:{}"),
        ("ResourceName", "{}"),
        ("SnapshotName", "snapshot:{}"),
        ("UserGroupId", "usergroup:{}"),
        ("UserGroupIds", "usergroup:{}"),
        ("UserGroupIdsToAdd", "usergroup:{}"),
        ("UserId", "user:{}"),
        ("UserIds", "user:{}"),
        ("UserIdsToAdd", "user:{}"),
    ),
}
"""The same for services that ask about each resource that a request names."""

_CREATED: Final = {
    "elasticfilesystem:CreateFileSystem": "file-system/new",
    "application-autoscaling:RegisterScalableTarget": "scalable-target/0",
    "elasticloadbalancing:CreateLoadBalancer": "loadbalancer/app/{Name}/0",
    "elasticloadbalancing:CreateTargetGroup": "targetgroup/{Name}/0",
    "rds:CreateDBSnapshot": "snapshot:{DBSnapshotIdentifier}",
}
"""What an action creates, by its arguments; the last part is AWS's to choose."""

_GROUPS: Final = (
    ("DBParameterGroupName", "pg:{}"),
    ("DBSubnetGroupName", "subgrp:{}"),
    ("OptionGroupName", "og:{}"),
)
_ALSO: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "rds:CreateDBInstance": _GROUPS,
    "rds:CreateDBSnapshot": (("DBInstanceIdentifier", "db:{}"),),
    "rds:ModifyDBInstance": _GROUPS,
    "rds:RestoreDBInstanceFromDBSnapshot": (("DBSnapshotIdentifier", "snapshot:{}"), *_GROUPS),
    "rds:RestoreDBInstanceToPointInTime": (("SourceDBInstanceIdentifier", "db:{}"), *_GROUPS),
}
"""What an action is on as well, by the arguments that name it."""

_UNNAMED: Final = {("rds:CreateDBInstance", "OptionGroupName"): "default:postgres"}
"""What an action is on where an argument is left out.

Source: Amazon RDS User Guide, "Identity-based policy examples for Amazon RDS", whose policy to create an
instance names the default option group.
"""

_EVERY: Final = frozenset(
    {
        "chatbot:DescribeSlackChannelConfigurations",
        "chatbot:ListMicrosoftTeamsChannelConfigurations",
        "chatbot:ListTagsForResource",
        "cloudwatch:PutCompositeAlarm",
        "logs:DeleteQueryDefinition",
        "logs:DescribeQueryDefinitions",
        "logs:PutQueryDefinition",
    }
)
"""Actions that take a policy on every resource, whatever they name: they know no narrower one.

Sources: AWS Service Authorization Reference; Amazon CloudWatch API Reference, "PutCompositeAlarm".
"""

_EC2_TYPES: Final = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "fl": "vpc-flow-log",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
"""Types of EC2 resources by the prefix of their ids."""

_EC2_CREATED: Final = {
    "AllocateAddress": "elastic-ip",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
    "AuthorizeSecurityGroupIngress": "security-group-rule",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateInternetGateway": "internet-gateway",
    "CreateNatGateway": "natgateway",
    "CreateNetworkAcl": "network-acl",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpc-endpoint",
}
"""The types of what EC2 actions create. Conditions on request tags concern these, those on tags the rest."""

_EC2_ONLY: Final = {
    "CreateRoute": ("RouteTableId",),
    "ReplaceRoute": ("RouteTableId",),
    "RevokeSecurityGroupEgress": ("GroupId",),
    "RevokeSecurityGroupIngress": ("GroupId",),
    "AuthorizeSecurityGroupEgress": ("GroupId",),
    "AuthorizeSecurityGroupIngress": ("GroupId",),
}
"""EC2 actions that are authorized on some of the resources that their arguments name."""

_PASSED: Final = {
    "chatbot:CreateMicrosoftTeamsChannelConfiguration": (("IamRoleArn",), "chatbot.amazonaws.com"),
    "chatbot:CreateSlackChannelConfiguration": (("IamRoleArn",), "chatbot.amazonaws.com"),
    "chatbot:UpdateMicrosoftTeamsChannelConfiguration": (("IamRoleArn",), "chatbot.amazonaws.com"),
    "chatbot:UpdateSlackChannelConfiguration": (("IamRoleArn",), "chatbot.amazonaws.com"),
    "ec2:CreateFlowLogs": (("DeliverLogsPermissionArn",), "vpc-flow-logs.amazonaws.com"),
    "ecs:RegisterTaskDefinition": (("taskRoleArn", "executionRoleArn"), "ecs-tasks.amazonaws.com"),
    "ecs:RunTask": (("taskRoleArn", "executionRoleArn"), "ecs-tasks.amazonaws.com"),
    "events:PutTargets": (("Targets.0.RoleArn",), "events.amazonaws.com"),
    "rds:CreateDBInstance": (("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    "rds:ModifyDBInstance": (("MonitoringRoleArn",), "monitoring.rds.amazonaws.com"),
    "scheduler:CreateSchedule": (("Target.RoleArn",), "scheduler.amazonaws.com"),
    "scheduler:UpdateSchedule": (("Target.RoleArn",), "scheduler.amazonaws.com"),
    "states:CreateStateMachine": (("roleArn",), "states.amazonaws.com"),
    "states:UpdateStateMachine": (("roleArn",), "states.amazonaws.com"),
}
"""Arguments that pass a role to a service, which takes `iam:PassRole`; a dot leads into one.

A RunTask passes the roles of its task definition, which whoever asks about it adds to the arguments.
"""

_ALARMS: Final = {
    "application-autoscaling:DeleteScalingPolicy": "cloudwatch:DeleteAlarms",
    "application-autoscaling:PutScalingPolicy": "cloudwatch:PutMetricAlarm",
}
"""What changing a scaling policy takes for the alarms that target tracking keeps.

Source: Application Auto Scaling User Guide, "Permissions required for API actions on target services and
CloudWatch".
"""

_MANAGED_SECRET: Final = (
    ("kms:DescribeKey", "arn:aws:kms:{region}:{account}:key/0"),
    ("secretsmanager:CreateSecret", "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-0"),
    ("secretsmanager:TagResource", "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-0"),
)
"""What it takes that RDS manages the password of a master user; AWS chooses the end of each ARN.

Source: Amazon RDS User Guide, "Permissions required for Secrets Manager integration".
"""

_BEHIND: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "elasticfilesystem:CreateMountTarget": (
        ("ec2:DescribeSubnets", ""),
        ("ec2:DescribeNetworkInterfaces", ""),
        ("ec2:CreateNetworkInterface", "arn:aws:ec2:{region}:{account}:network-interface/new"),
    ),
    "elasticfilesystem:DeleteMountTarget": (
        ("ec2:DeleteNetworkInterface", "arn:aws:ec2:{region}:{account}:network-interface/0"),
    ),
    "servicediscovery:CreatePrivateDnsNamespace": (("route53:CreateHostedZone", ""),),
    "servicediscovery:DeleteNamespace": (("route53:DeleteHostedZone", "arn:aws:route53:::hostedzone/0"),),
    "wafv2:AssociateWebACL": (("elasticloadbalancing:SetWebAcl", ""),),
}
"""What a service does with the rights of its caller, on a resource that the caller does not name.

Sources: AWS Cloud Map Developer Guide, "AWS Cloud Map API permissions"; AWS WAF API Reference,
AssociateWebACL; Amazon EFS User Guide, "Managing mount targets".
"""

_RESTORED: Final = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""What a restore takes on the new table.

Source: Amazon DynamoDB Developer Guide, "Point-in-time recovery".
"""

_MOVED: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What a message move task takes on its source, besides SendMessage on where the messages go.

Source: Amazon SQS Developer Guide, "Configuring queue permissions for dead-letter queue redrive".
"""

_LINKED: Final = {
    "application-autoscaling:RegisterScalableTarget": (
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
    ),
    "chatbot:CreateMicrosoftTeamsChannelConfiguration": (
        "management.chatbot.amazonaws.com",
        "AWSServiceRoleForAWSChatbot",
    ),
    "chatbot:CreateSlackChannelConfiguration": (
        "management.chatbot.amazonaws.com",
        "AWSServiceRoleForAWSChatbot",
    ),
    "ecs:CreateCluster": ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
    "elasticache:CreateReplicationGroup": ("elasticache.amazonaws.com", "AWSServiceRoleForElastiCache"),
    "elasticfilesystem:CreateMountTarget": (
        "elasticfilesystem.amazonaws.com",
        "AWSServiceRoleForAmazonElasticFileSystem",
    ),
    "elasticloadbalancing:CreateLoadBalancer": (
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
    ),
    "rds:CreateDBInstance": ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
    "rds:CreateDBSubnetGroup": ("rds.amazonaws.com", "AWSServiceRoleForRDS"),
}
"""Actions of which the first in an account creates a service-linked role.

Every one counts as the first: whether the account has the role is not known from the policies.
"""

_TAGGING: Final = {
    "acm:RequestCertificate": "acm:AddTagsToCertificate",
    "application-autoscaling:RegisterScalableTarget": "application-autoscaling:TagResource",
    "cloudwatch:PutCompositeAlarm": "cloudwatch:TagResource",
    "cloudwatch:PutMetricAlarm": "cloudwatch:TagResource",
    "dynamodb:CreateTable": "dynamodb:TagResource",
    "ecr:CreateRepository": "ecr:TagResource",
    "ecs:CreateCluster": "ecs:TagResource",
    "ecs:CreateService": "ecs:TagResource",
    "ecs:RegisterTaskDefinition": "ecs:TagResource",
    "elasticache:CreateCacheParameterGroup": "elasticache:AddTagsToResource",
    "elasticache:CreateCacheSubnetGroup": "elasticache:AddTagsToResource",
    "elasticache:CreateReplicationGroup": "elasticache:AddTagsToResource",
    "elasticache:CreateUser": "elasticache:AddTagsToResource",
    "elasticache:CreateUserGroup": "elasticache:AddTagsToResource",
    "elasticfilesystem:CreateAccessPoint": "elasticfilesystem:TagResource",
    "elasticfilesystem:CreateFileSystem": "elasticfilesystem:TagResource",
    "elasticloadbalancing:CreateListener": "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateLoadBalancer": "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateTargetGroup": "elasticloadbalancing:AddTags",
    "events:PutRule": "events:TagResource",
    "iam:CreatePolicy": "iam:TagPolicy",
    "iam:CreateRole": "iam:TagRole",
    "logs:CreateLogGroup": "logs:TagResource",
    "rds:CreateDBInstance": "rds:AddTagsToResource",
    "rds:CreateDBParameterGroup": "rds:AddTagsToResource",
    "rds:CreateDBSnapshot": "rds:AddTagsToResource",
    "rds:CreateDBSubnetGroup": "rds:AddTagsToResource",
    "rds:RestoreDBInstanceFromDBSnapshot": "rds:AddTagsToResource",
    "rds:RestoreDBInstanceToPointInTime": "rds:AddTagsToResource",
    "secretsmanager:CreateSecret": "secretsmanager:TagResource",
    "servicediscovery:CreatePrivateDnsNamespace": "servicediscovery:TagResource",
    "servicediscovery:CreateService": "servicediscovery:TagResource",
    "sns:CreateTopic": "sns:TagResource",
    "sqs:CreateQueue": "sqs:TagQueue",
    "states:CreateStateMachine": "states:TagResource",
    "ssm:PutParameter": "ssm:AddTagsToResource",
    "wafv2:CreateWebACL": "wafv2:TagResource",
}
"""The permission that tags take when a resource is created with them."""

_TRANSACTION: Final = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}
"""The permissions of the parts of a transaction.

Source: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions".
"""

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
    service = _PREFIXES.get(request.service, request.service)
    action = f"{service}:{request.operation}"
    action = _ACTIONS.get(action, action)
    versions = request.arguments.get("versionId"), *(each["VersionId"] for each in _objects(request))
    if action in ("s3:GetObject", "s3:DeleteObject") and any(versions):
        action += "Version"
    if request.operation in ("TransactGetItems", "TransactWriteItems"):
        for kind, part in (item for each in request.arguments["TransactItems"] for item in each.items()):
            yield Call(_TRANSACTION[kind], (f"{_start(request, account_id)}table/{part['TableName']}",))
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
            if service in ("acm", "secretsmanager", "servicediscovery"):
                tags_of = [inventory.tags(account_id, request.region, each) for each in resources]
                here = context | _resource_tags(tags_of)
                if service == "secretsmanager":
                    here = here | _resource_tags(tags_of, "secretsmanager")
            owner = inventory.owner(resources[0]) if resources else None
            yield Call(action, resources, here | tagged, owner)
            if tags and (tagging := _TAGGING.get(action)) and _is_new(request, resources):
                # Of what AWS names itself, only a certificate is created with tags.
                new = (f"{_start(request, account_id)}certificate/new",)
                named = resources or _resources(service, tagging, request, account_id)[0]
                yield Call(tagging, named or new, here | tagged)
        for argument, end in _ALSO.get(action, ()):
            if name := request.arguments.get(argument, _UNNAMED.get((action, argument))):
                yield Call(action, (f"{_start(request, account_id)}{end.format(name)}",), context | tagged)
    yield from _dependent(action, request, account_id)
    yield from _on_others(action, request, account_id, inventory)


def _with_resource(request: Request, account_id: str, inventory: Inventory) -> Request:
    """Returns a request that names its resource, where it names only something that belongs to that."""
    arguments = request.arguments
    if request.operation == "CancelMessageMoveTask":
        task = json.loads(base64.b64decode(str(arguments["TaskHandle"])))
        return replace(request, arguments={"SourceArn": task["sourceArn"]})
    if request.service == "elasticfilesystem" and (mount_target := arguments.get("MountTargetId")):
        file_system = inventory.file_system(account_id, request.region, str(mount_target))
        return replace(request, arguments={**arguments, "FileSystemId": file_system or "new"})
    return request


def _is_new(request: Request, resources: tuple[str, ...]) -> bool:
    """Returns whether a request creates a resource, and does not only name it."""
    if request.service not in _EACH:
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
        for each in _RESTORED:
            yield Call(f"dynamodb:{each}", (f"{_start(request, account_id)}table/{table}",))
    if action == "sqs:StartMessageMoveTask":
        queue, target = str(arguments["SourceArn"]), arguments.get("DestinationArn")
        for each in _MOVED:
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
        only = _EC2_ONLY.get(operation)
        names = [name for name in arguments if name in only] if only else filter(_ID.search, arguments)
        for value in (str(arguments[name]) for name in names):
            ids += inventory.associated(account_id, request.region, value) or [value]
    found = False
    for identifier in dict.fromkeys(ids):
        if kind := _EC2_TYPES.get(identifier.partition("-")[0] if "-" in identifier else ""):
            found = True
            here = _resource_tags([inventory.tags(account_id, request.region, identifier)])
            asked = tagged if operation in ("CreateTags", "DeleteTags") else {}
            yield Call(action, (f"{start}{kind}/{identifier}",), {**context, **asked, **here})
    if kind := _EC2_CREATED.get(operation):
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
    if action in _PASSED:
        names, service = _PASSED[action]
        for role in filter(None, (_argument(request.arguments, name) for name in names)):
            yield Call("iam:PassRole", (str(role),), {"iam:PassedToService": (service,)})
    if action == "ecs:RunTask" and request.arguments.get("propagateTags"):
        task = f"{_start(request, account_id)}task/{request.arguments['cluster'].rpartition('/')[2]}/new"
        yield Call("ecs:TagResource", (task,), {"ecs:CreateAction": ("RunTask",)})
    if request.service == "rds" and request.arguments.get("ManageMasterUserPassword") == "true":
        for needed, arn in _MANAGED_SECRET:
            yield Call(needed, (arn.format(region=request.region, account=account_id),))
    if action == "rds:ModifyDBInstance" and request.arguments.get("RotateMasterUserPassword") == "true":
        yield Call(
            "secretsmanager:RotateSecret",
            (f"arn:aws:secretsmanager:{request.region}:{account_id}:secret:rds!db-0",),
        )
    if action in _ALARMS:
        named = f"TargetTracking-{request.arguments.get('ResourceId')}-AlarmHigh-0"
        arn = f"arn:aws:cloudwatch:{request.region}:{account_id}:alarm:{named}"
        yield Call(_ALARMS[action], (arn,), owner=account_id)
    for behind, arn in _BEHIND.get(action, ()):
        named = arn.format(region=request.region, account=account_id)
        yield Call(behind, (named,) if named else ())
    if action in _LINKED:
        service, name = _LINKED[action]
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
    elif action in _EVERY:
        return
    elif service == "cloudwatch" and (names := _dashboards(arguments)):
        # Dashboards are global.
        yield from ((f"arn:aws:cloudwatch::{account_id}:dashboard/{name}", len(names) > 1) for name in names)
    elif form := _CREATED.get(action):
        yield start + form.format(**arguments), False
    elif service in _EACH:
        for name, end in _EACH[service]:
            for value in _values(name, arguments):
                yield value if value.startswith("arn:") else start + end.format(value), True
        if action == "elasticache:CreateReplicationGroup" and "CacheParameterGroupName" not in arguments:
            major = str(arguments.get("EngineVersion", "")).partition(".")[0]
            yield f"{start}parametergroup:default.{arguments.get('Engine', 'redis')}{major}", True
    elif service == "dynamodb" and (index := arguments.get("IndexName")):
        yield f"{start}table/{arguments.get('TableName')}/index/{index}", False
    elif service == "dynamodb" and "RequestItems" in arguments:
        yield from ((f"{start}table/{table}", True) for table in arguments["RequestItems"])
    elif service not in _RESOURCES:
        yield from ((arn, False) for arn in _arns(arguments) if arn.startswith(f"arn:aws:{service}:"))
    else:
        found = ((*row, _values(row[0], arguments)) for row in _RESOURCES[service])
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
    service = _PREFIXES.get(request.service, request.service)
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
