"""New tasks for the services of a database whose password has changed: ECS gives secrets at their start."""

import json
from collections.abc import Sequence
from typing import Final

from stacks import naming
from stacks.bindings import CloudwatchEventRule, CloudwatchEventTarget, SfnStateMachine
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.cluster import Cluster
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Environment, Project

_TRIES: Final = 3
"""How often a deployment is started that ECS refuses, such as while another one begins."""


class SecretRotation:
    """A rule of EventBridge for rotations, and a state machine that then redeploys the services.

    One of each for a database: `key` is its name, `services` are the ECS services that use it. Until new
    tasks run, old ones keep the connections that they have.

    The event comes from CloudTrail, so the account needs a trail.
    Sources: AWS Secrets Manager User Guide, "Match AWS Secrets Manager events with Amazon EventBridge";
    Step Functions Developer Guide, "Map state".
    """

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        key: str,
        secret_arn: str,
        cluster: Cluster,
        services: Sequence[str],
    ) -> None:
        project, prefix = scope.project.name, f"database_{key}_rotated"
        name = naming.secret_rotation(project, environment.name, key)
        here = f"{environment.region}:{environment.account_id}"
        role = BoundedRole(
            scope,
            f"{prefix}_role",
            name=name,
            description=f"Deploys the services of {key} anew",
            service="states.amazonaws.com",
            statements=[
                Statement(
                    "DeployAnew",
                    ["ecs:UpdateService"],
                    [f"arn:aws:ecs:{here}:service/{cluster.name}/{service}" for service in services],
                )
            ],
        )
        machine = SfnStateMachine(
            scope,
            f"{prefix}_machine",
            name=name,
            role_arn=role.arn,
            definition=_definition(cluster.name, services),
            depends_on=[*role.policies],
        )
        starts = BoundedRole(
            scope,
            f"{prefix}_start_role",
            name=f"{name}-start",
            description=f"Starts new deployments for {key}",
            service="events.amazonaws.com",
            statements=[Statement("Start", ["states:StartExecution"], [machine.arn])],
        )
        rule = CloudwatchEventRule(
            scope,
            f"{prefix}_rule",
            name=name,
            description=f"RDS has changed the password of {key}",
            event_pattern=json.dumps(
                {
                    "source": ["aws.secretsmanager"],
                    "detail-type": ["AWS Service Event via CloudTrail"],
                    "detail": {
                        "eventName": ["RotationSucceeded"],
                        "additionalEventData": {"SecretId": [secret_arn]},
                    },
                }
            ),
        )
        CloudwatchEventTarget(
            scope,
            f"{prefix}_target",
            rule=rule.name,
            target_id="deploy",
            arn=machine.arn,
            role_arn=starts.arn,
            depends_on=[*starts.policies],
        )
        self.state_machine_arn = machine.arn


def _definition(cluster: str, services: Sequence[str]) -> str:
    deploy = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ecs:updateService",
        "Arguments": {"Cluster": cluster, "Service": "{% $states.input %}", "ForceNewDeployment": True},
        "Retry": [
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": 30,
                "MaxAttempts": _TRIES,
                "BackoffRate": 2.0,
            }
        ],
        "End": True,
    }
    return json.dumps(
        {
            "QueryLanguage": "JSONata",
            "StartAt": "Each",
            "States": {
                "Each": {
                    "Type": "Map",
                    "Items": list(services),
                    "ItemProcessor": {"StartAt": "Deploy", "States": {"Deploy": deploy}},
                    "End": True,
                }
            },
        },
        sort_keys=True,
    )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for rules of EventBridge."""
    return (
        Statement(
            "ChangeRules",
            actions=[
                "events:DeleteRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
                "events:TagResource",
                "events:UntagResource",
            ],
            resources=[f"arn:aws:events:*:{account_id}:rule/{project.name}-*"],
        ),
    )
