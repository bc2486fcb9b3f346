"""What the GitHub roles may do, as policy statements.

Where AWS lets a permission be limited to an ARN, it is: to names that begin with the project's.
Where it does not (most of EC2, every list of things), the resource is `*`.

Source of actions and their resources: AWS Service Authorization Reference.
"""

from collections.abc import Sequence

from stacks import naming
from stacks.policies import Statement
from stacks.settings import Platform, Project


def read(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Enough to plan every stack: descriptions, the states, and the lock of a plan; no data, no secret."""
    project = platform.project
    own = naming.stacks_of_account(platform, account_id)
    return (
        Statement(
            "Describe",
            actions=[
                "acm:DescribeCertificate",
                "acm:ListTagsForCertificate",
                "application-autoscaling:Describe*",
                "application-autoscaling:ListTagsForResource",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:ListTagsForResource",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:ListTagsOfResource",
                "ec2:Describe*",
                "ecr:DescribeImages",
                "ecr:DescribeRepositories",
                "ecr:GetLifecyclePolicy",
                "ecr:GetRepositoryPolicy",
                "ecr:ListTagsForResource",
                "ecs:Describe*",
                "ecs:ListTagsForResource",
                "elasticloadbalancing:Describe*",
                "iam:GetOpenIDConnectProvider",
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListPolicyVersions",
                "iam:ListRolePolicies",
                "logs:DescribeLogGroups",
                "logs:ListTagsForResource",
                "rds:DescribeDBSubnetGroups",
                "rds:ListTagsForResource",
                "route53:GetChange",
                "route53:GetHostedZone",
                "route53:ListHostedZones",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResource",
                "s3:GetAccelerateConfiguration",
                "s3:GetBucket*",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:ListSecrets",
                "sns:GetSubscriptionAttributes",
                "sns:GetTopicAttributes",
                "sns:ListTagsForResource",
                "ssm:DescribeParameters",
            ],
            resources=["*"],
        ),
        Statement(
            "ReadReleases",
            actions=[
                "ssm:GetParameter",
                "ssm:GetParameterHistory",
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
            ],
            resources=[f"arn:aws:ssm:*:{account_id}:parameter{naming.release_path(project.name, '*')}*"],
        ),
        Statement("ReadStates", actions=["s3:GetObject"], resources=_states(project, own)),
        Statement(
            "LockStates",
            actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=_states(project, own, ".tflock"),
        ),
    )


def push(project: Project) -> tuple[Statement, ...]:
    """Push to the project's repositories. Source: Amazon ECR User Guide, "IAM permissions for pushing"."""
    return (
        Statement("Login", actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        Statement(
            "Push",
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:DescribeImages",
                "ecr:GetDownloadUrlForLayer",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            resources=[naming.repository_arn(project, "*")],
        ),
    )


def deploy_network(project: Project, account_id: str) -> tuple[Statement, ...]:
    """What applying a network stack takes beyond reading."""
    name = project.name
    things = (
        "InternetGateway",
        "NatGateway",
        "NetworkAcl",
        "NetworkAclEntry",
        "Route",
        "RouteTable",
        "SecurityGroup",
        "Subnet",
        "Vpc",
    )
    return (
        Statement(
            "ChangeNetworks",
            actions=[
                *(f"ec2:{verb}{thing}" for verb in ("Create", "Delete") for thing in things),
                "ec2:AllocateAddress",
                "ec2:AssociateRouteTable",
                "ec2:AttachInternetGateway",
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateFlowLogs",
                "ec2:CreateTags",
                "ec2:CreateVpcEndpoint",
                "ec2:DeleteFlowLogs",
                "ec2:DeleteTags",
                "ec2:DeleteVpcEndpoints",
                "ec2:DetachInternetGateway",
                "ec2:DisassociateAddress",
                "ec2:DisassociateRouteTable",
                "ec2:ModifySecurityGroupRules",
                "ec2:ModifySubnetAttribute",
                "ec2:ModifyVpcAttribute",
                "ec2:ModifyVpcEndpoint",
                "ec2:ReleaseAddress",
                "ec2:ReplaceNetworkAclAssociation",
                "ec2:ReplaceNetworkAclEntry",
                "ec2:ReplaceRoute",
                "ec2:ReplaceRouteTableAssociation",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
                # An interface endpoint with private DNS brings a hosted zone of AWS's own.
                "route53:AssociateVPCWithHostedZone",
            ],
            resources=["*"],
        ),
        Statement(
            "ChangeDatabaseSubnets",
            actions=[
                "rds:AddTagsToResource",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBSubnetGroup",
                "rds:RemoveTagsFromResource",
            ],
            resources=[f"arn:aws:rds:*:{account_id}:subgrp:{name}-*"],
        ),
    )


def deploy_service(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """What applying a service stack takes beyond reading, and the roles and log groups of both stacks."""
    project = platform.project
    name = project.name
    roles = f"arn:aws:iam::{account_id}:role/{name}-*"
    github = f"arn:aws:iam::{account_id}:role/{naming.github_role(name, '*')}"
    boundary = naming.workload_boundary_arn(name, account_id)
    _, *own = naming.stacks_of_account(platform, account_id)
    access_logs = f"arn:aws:s3:::{name}-*-access-logs-{account_id}"
    return (
        Statement(
            "ChangeServices",
            actions=[
                "ecs:CreateCluster",
                "ecs:CreateService",
                "ecs:DeleteCluster",
                "ecs:DeleteService",
                "ecs:PutClusterCapacityProviders",
                "ecs:TagResource",
                "ecs:UntagResource",
                "ecs:UpdateCluster",
                "ecs:UpdateClusterSettings",
                "ecs:UpdateService",
            ],
            resources=[
                f"arn:aws:ecs:*:{account_id}:{kind}/{name}-*"
                for kind in ("cluster", "service", "task-definition")
            ],
        ),
        # Scalable targets have ids that no policy can name.
        Statement(
            "ChangeTasksAndScaling",
            actions=[
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:TagResource",
                "application-autoscaling:UntagResource",
                "ecs:DeregisterTaskDefinition",
                "ecs:RegisterTaskDefinition",
            ],
            resources=["*"],
        ),
        Statement(
            "ChangeLoadBalancers",
            actions=[
                *(
                    f"elasticloadbalancing:{verb}{thing}"
                    for verb in ("Create", "Delete", "Modify")
                    for thing in ("Listener", "TargetGroup")
                ),
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            resources=[
                f"arn:aws:elasticloadbalancing:*:{account_id}:{kind}/{name}-*"
                for kind in ("loadbalancer/app", "listener/app", "targetgroup")
            ],
        ),
        Statement(
            "ChangeTables",
            actions=[
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            resources=[f"arn:aws:dynamodb:*:{account_id}:table/{name}-*"],
        ),
        Statement(
            "ChangeLogs",
            actions=[
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            resources=[f"arn:aws:logs:*:{account_id}:log-group:/{name}/*"],
        ),
        Statement(
            "ChangeAlarms",
            actions=[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:UntagResource",
            ],
            resources=[
                f"arn:aws:cloudwatch:*:{account_id}:alarm:{name}-*",
                f"arn:aws:sns:*:{account_id}:{name}-*",
            ],
        ),
        Statement(
            "ChangeBuckets",
            actions=[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:ListBucketVersions",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            resources=[access_logs],
        ),
        # An unprotected bucket is emptied before it is deleted.
        Statement(
            "EmptyBuckets",
            actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
            resources=[f"{access_logs}/*"],
        ),
        Statement(
            "ChangeNamesAndCertificates",
            actions=[
                "acm:AddTagsToCertificate",
                "acm:DeleteCertificate",
                "acm:RemoveTagsFromCertificate",
                "route53:ChangeResourceRecordSets",
            ],
            resources=[f"arn:aws:acm:*:{account_id}:certificate/*", "arn:aws:route53:::hostedzone/*"],
        ),
        Statement("WithoutResource", actions=["acm:RequestCertificate", "sns:Unsubscribe"], resources=["*"]),
        # The first cluster, load balancer and scalable target of an account each bring a role of AWS's own.
        Statement(
            "CreateServiceLinkedRoles",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[f"arn:aws:iam::{account_id}:role/aws-service-role/*"],
            conditions={
                "StringEquals": {
                    "iam:AWSServiceName": [
                        "ecs.amazonaws.com",
                        "ecs.application-autoscaling.amazonaws.com",
                        "elasticloadbalancing.amazonaws.com",
                    ]
                }
            },
        ),
        Statement(
            "CreateBoundedRoles",
            actions=["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
            resources=[roles],
            conditions={"StringEquals": {"iam:PermissionsBoundary": boundary}},
        ),
        Statement(
            "ChangeRoles",
            actions=[
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:ListInstanceProfilesForRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            resources=[roles],
        ),
        Statement(
            "PassRolesToServices",
            actions=["iam:PassRole"],
            resources=[roles],
            conditions={
                "StringEquals": {
                    "iam:PassedToService": ["ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
                }
            },
        ),
        Statement(
            "NeverItsOwnRoles",
            effect="Deny",
            actions=[
                "iam:DeleteRole*",
                "iam:PassRole",
                "iam:PutRole*",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole*",
            ],
            resources=[github],
        ),
        Statement(
            "WriteReleases",
            actions=["ssm:PutParameter"],
            resources=[f"arn:aws:ssm:*:{account_id}:parameter{naming.release_path(name, '*')}/*"],
        ),
        # Who records a release holds a lock, a parameter beside the record.
        Statement(
            "LockReleases",
            actions=["ssm:DeleteParameter", "ssm:PutParameter"],
            resources=[f"arn:aws:ssm:*:{account_id}:parameter{naming.release_lock_path(name, '*')}/*"],
        ),
        # Why a deployment failed: its stopped tasks, and the last lines of their logs.
        Statement(
            "ListTasks",
            actions=["ecs:ListTasks"],
            resources=["*"],
            conditions={"ArnLike": {"ecs:cluster": f"arn:aws:ecs:*:{account_id}:cluster/{name}-*"}},
        ),
        Statement(
            "ReadLogs",
            actions=["logs:GetLogEvents"],
            resources=[f"arn:aws:logs:*:{account_id}:log-group:/{name}/*:log-stream:*"],
        ),
        Statement("WriteStates", actions=["s3:PutObject"], resources=_states(project, own)),
    )


def _states(project: Project, stacks: Sequence[str], suffix: str = "") -> list[str]:
    """The states of some stacks in the state bucket, or what stands beside them."""
    bucket = f"arn:aws:s3:::{naming.state_bucket(project)}"
    return [f"{bucket}/{naming.state_key(stack)}{suffix}" for stack in stacks]
