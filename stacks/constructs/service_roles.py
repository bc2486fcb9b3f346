"""What starts a task, and what runs in it, each with a role of its own."""

from collections.abc import Iterator, Mapping

from stacks import naming, policies
from stacks.bindings import Construct
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.image_repository import PULL_ACTIONS
from stacks.constructs.secret_references import SecretReferences
from stacks.constructs.table import Table
from stacks.constructs.workload_boundary import EXEC_ACTIONS
from stacks.policies import Statement
from stacks.settings import Environment, Project
from webapp import contract


class ServiceRoles:
    """The execution role pulls the image, reads the secrets and writes the log; the task role is the app's.

    The task role allows what `webapp.contract.GRANTS` says and nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        key: str,
        project: Project,
        environment: Environment,
        log_group_arn: str,
        secrets: SecretReferences,
        table: Table,
    ) -> None:
        account_id = environment.account_id
        trust = policies.service_trust("ecs-tasks.amazonaws.com", account_id)
        self.execution = BoundedRole(
            scope,
            f"{key}_execution_role",
            name=naming.role_name(project.name, environment.name, f"{key}-execution"),
            description=f"Starts tasks of {key}",
            project=project,
            account_id=account_id,
            trust=trust,
            statements=[*_execution(key, project, log_group_arn, secrets)],
        )
        self.task = BoundedRole(
            scope,
            f"{key}_task_role",
            name=naming.role_name(project.name, environment.name, f"{key}-task"),
            description=f"What {key} itself may do",
            project=project,
            account_id=account_id,
            trust=trust,
            statements=[*_task(key, project, environment, log_group_arn, table)],
        )


def _execution(
    key: str, project: Project, log_group_arn: str, secrets: SecretReferences
) -> Iterator[Statement]:
    yield Statement("Login", ["ecr:GetAuthorizationToken"], ["*"])
    yield Statement("PullImage", PULL_ACTIONS, [naming.repository_arn(project, key)])
    yield Statement("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"])
    if secrets.ssm_arns:
        yield Statement("ReadParameters", ["ssm:GetParameters"], secrets.ssm_arns)
    if secrets.secretsmanager_arns:
        yield Statement("ReadSecrets", ["secretsmanager:GetSecretValue"], secrets.secretsmanager_arns)


def _task(
    key: str, project: Project, environment: Environment, log_group_arn: str, table: Table
) -> Iterator[Statement]:
    resources = _resources(key, project, environment, log_group_arn, table)
    for grant in contract.GRANTS:
        yield Statement(grant.sid, grant.actions, [resources[grant.resource]])
    if environment.services[key].exec:
        yield Statement("Exec", EXEC_ACTIONS, ["*"])


def _resources(
    key: str, project: Project, environment: Environment, log_group_arn: str, table: Table
) -> Mapping[contract.Resource, str]:
    """The ARN of each thing that the app acts on.

    CloudWatch asks for the right to all alarms when it looks for those whose names begin alike.
    Sources: AWS Service Authorization Reference; aws-samples/amazon-cloudwatch-auto-alarms, issue 1;
    CloudWatch Logs User Guide, "Overview of managing access permissions", for the end of a log group's.
    """
    here = f"{environment.region}:{environment.account_id}"
    cluster = naming.base(project.name, environment.name)
    service = naming.load_balancer_name(project.name, environment.name, key)
    return {
        contract.Resource.TABLE: table.arn,
        contract.Resource.ECS_SERVICE: f"arn:aws:ecs:{here}:service/{cluster}/{service}",
        contract.Resource.IMAGES: naming.repository_arn(project, key),
        contract.Resource.ALARMS: f"arn:aws:cloudwatch:{here}:alarm:*",
        contract.Resource.LOG_GROUP: f"{log_group_arn}:*",
        contract.Resource.ANY: "*",
    }
