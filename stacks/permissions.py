"""What the GitHub roles may do, as policy statements.

What deploying takes is written beside each construct, as its `DEPLOY` or `deploy`, and gathered here.

Where AWS lets a permission be limited to an ARN, it is: to names that begin with the project's.
Where it does not (most of EC2, every list of things), the resource is `*`.

Source of actions and their resources: AWS Service Authorization Reference.
"""

from collections.abc import Mapping

from stacks import data, kinds, naming, network, service
from stacks.kinds import Kind
from stacks.policies import Statement, merged
from stacks.settings import Platform, Project


def read(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Enough to plan every stack without a lock: descriptions and the states; no data, no secret."""
    project = platform.project
    states = [
        naming.state_arn(project, stack.name) for stack in kinds.stacks_of_account(platform, account_id)
    ]
    return (
        Statement(
            "Describe",
            actions=[
                "acm:DescribeCertificate",
                "acm:ListTagsForCertificate",
                "application-autoscaling:Describe*",
                "application-autoscaling:ListTagsForResource",
                "chatbot:DescribeSlackChannelConfigurations",
                "chatbot:ListMicrosoftTeamsChannelConfigurations",
                "chatbot:ListTagsForResource",
                "cloudtrail:DescribeTrails",
                "cloudtrail:GetEventSelectors",
                "cloudtrail:GetTrailStatus",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetDashboard",
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
                "elasticache:Describe*",
                "elasticache:ListTagsForResource",
                "elasticfilesystem:Describe*",
                "elasticfilesystem:ListTagsForResource",
                "elasticloadbalancing:Describe*",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "iam:GetOpenIDConnectProvider",
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListPolicyVersions",
                "iam:ListRolePolicies",
                "logs:DescribeLogGroups",
                "logs:DescribeQueryDefinitions",
                "logs:ListTagsForResource",
                "rds:Describe*",
                "rds:ListTagsForResource",
                "route53:GetChange",
                "route53:GetHostedZone",
                "route53:ListHostedZones",
                "route53:ListHostedZonesByName",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResource",
                "s3:GetAccelerateConfiguration",
                "s3:GetBucket*",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
                "scheduler:GetSchedule",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:ListSecrets",
                "servicediscovery:Get*",
                "servicediscovery:ListInstances",
                "servicediscovery:ListTagsForResource",
                "servicequotas:GetServiceQuota",
                "sns:GetSubscriptionAttributes",
                "sns:GetTopicAttributes",
                "sns:ListSubscriptionsByTopic",
                "sns:ListTagsForResource",
                "sqs:GetQueueAttributes",
                "sqs:ListQueueTags",
                "ssm:DescribeParameters",
                "states:DescribeStateMachine",
                "states:ListStateMachineVersions",
                "states:ListTagsForResource",
                "states:ValidateStateMachineDefinition",
                "wafv2:GetWebACL*",
                "wafv2:ListTagsForResource",
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
        Statement("ReadStates", actions=["s3:GetObject"], resources=states),
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


def deploy(platform: Platform, account_id: str) -> Mapping[Kind, tuple[Statement, ...]]:
    """Gathers what applying each kind of an environment's stacks takes beyond reading.

    A statement that two kinds need is in the earlier kind's policy only: the deploy role has both policies.
    """
    needed = {
        kinds.NETWORK: network.deploy(platform, account_id),
        kinds.DATA: data.deploy(platform, account_id),
        kinds.SERVICE: service.deploy(platform, account_id),
    }
    found: dict[Kind, tuple[Statement, ...]] = {}
    for kind in kinds.OF_ENVIRONMENT:
        earlier = [statement for statements in found.values() for statement in statements]
        found[kind] = tuple(each for each in merged(needed[kind]) if each not in earlier)
    return found
