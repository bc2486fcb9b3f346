"""What is known of each action: its name, its resources, what else it takes. A kind of resource adds rows.

Sources: AWS Service Authorization Reference, for actions, ARNs and dependent actions; Amazon S3 User Guide,
"Required permissions for Amazon S3 API operations"; Amazon EC2 User Guide, "Grant permission to tag Amazon
EC2 resources during creation"; IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
"""

from collections.abc import Mapping
from typing import Final

PREFIXES: Final = {"monitoring": "cloudwatch"}
"""Services that policies name differently from the name that requests are signed for."""

ACTIONS: Final = {
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

RESOURCES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
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

EACH: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
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

CREATED: Final = {
    "elasticfilesystem:CreateFileSystem": "file-system/new",
    "application-autoscaling:RegisterScalableTarget": "scalable-target/0",
    "elasticloadbalancing:CreateLoadBalancer": "loadbalancer/app/{Name}/0",
    "elasticloadbalancing:CreateTargetGroup": "targetgroup/{Name}/0",
    "rds:CreateDBSnapshot": "snapshot:{DBSnapshotIdentifier}",
}
"""What an action creates, by its arguments; the last part is AWS's to choose."""

GROUPS: Final = (
    ("DBParameterGroupName", "pg:{}"),
    ("DBSubnetGroupName", "subgrp:{}"),
    ("OptionGroupName", "og:{}"),
)
ALSO: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "rds:CreateDBInstance": GROUPS,
    "rds:CreateDBSnapshot": (("DBInstanceIdentifier", "db:{}"),),
    "rds:ModifyDBInstance": GROUPS,
    "rds:RestoreDBInstanceFromDBSnapshot": (("DBSnapshotIdentifier", "snapshot:{}"), *GROUPS),
    "rds:RestoreDBInstanceToPointInTime": (("SourceDBInstanceIdentifier", "db:{}"), *GROUPS),
}
"""What an action is on as well, by the arguments that name it."""

UNNAMED: Final = {("rds:CreateDBInstance", "OptionGroupName"): "default:postgres"}
"""What an action is on where an argument is left out.

Source: Amazon RDS User Guide, "Identity-based policy examples for Amazon RDS", whose policy to create an
instance names the default option group.
"""

EVERY: Final = frozenset(
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

EC2_TYPES: Final = {
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

EC2_CREATED: Final = {
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

EC2_ONLY: Final = {
    "CreateRoute": ("RouteTableId",),
    "ReplaceRoute": ("RouteTableId",),
    "RevokeSecurityGroupEgress": ("GroupId",),
    "RevokeSecurityGroupIngress": ("GroupId",),
    "AuthorizeSecurityGroupEgress": ("GroupId",),
    "AuthorizeSecurityGroupIngress": ("GroupId",),
}
"""EC2 actions that are authorized on some of the resources that their arguments name."""

PASSED: Final = {
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

ALARMS: Final = {
    "application-autoscaling:DeleteScalingPolicy": "cloudwatch:DeleteAlarms",
    "application-autoscaling:PutScalingPolicy": "cloudwatch:PutMetricAlarm",
}
"""What changing a scaling policy takes for the alarms that target tracking keeps.

Source: Application Auto Scaling User Guide, "Permissions required for API actions on target services and
CloudWatch".
"""

_OF_MASTER_USER: Final = "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-0"
ROTATED_SECRET: Final = ("secretsmanager:RotateSecret", _OF_MASTER_USER)
MANAGED_SECRET: Final = (
    ("kms:DescribeKey", "arn:aws:kms:{region}:{account}:key/0"),
    ("secretsmanager:CreateSecret", _OF_MASTER_USER),
    ("secretsmanager:TagResource", _OF_MASTER_USER),
)
"""What it takes that RDS manages the password of a master user; AWS chooses the end of each ARN.

Source: Amazon RDS User Guide, "Permissions required for Secrets Manager integration".
"""

BEHIND: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
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

RESTORED: Final = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""What a restore takes on the new table.

Source: Amazon DynamoDB Developer Guide, "Point-in-time recovery".
"""

MOVED: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What a message move task takes on its source, besides SendMessage on where the messages go.

Source: Amazon SQS Developer Guide, "Configuring queue permissions for dead-letter queue redrive".
"""

_CHATBOT: Final = ("management.chatbot.amazonaws.com", "AWSServiceRoleForAWSChatbot")
LINKED: Final = {
    "application-autoscaling:RegisterScalableTarget": (
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
    ),
    "chatbot:CreateMicrosoftTeamsChannelConfiguration": _CHATBOT,
    "chatbot:CreateSlackChannelConfiguration": _CHATBOT,
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

TAGGING: Final = {
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
