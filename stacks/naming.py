"""Every name of the platform, and what else stacks and commands have to agree on.

Pure functions of the settings.
"""

import re
from collections.abc import Mapping
from typing import Final

from stacks.settings import Environment, Project


def state_bucket(project: Project) -> str:
    """The S3 bucket that holds every stack's Terraform state; unique in all of AWS by the account's id."""
    return f"{project.name}-state-{project.account_id}-{project.region}"


def state_key(stack: str) -> str:
    """The object in the state bucket that holds a stack's state."""
    return f"{stack}.tfstate"


def state_arn(project: Project, stack: str) -> str:
    """The ARN of that object."""
    return f"arn:aws:s3:::{state_bucket(project)}/{state_key(stack)}"


def registry(project: Project) -> str:
    """Host name of the project's private ECR registry."""
    return f"{project.account_id}.dkr.ecr.{project.region}.amazonaws.com"


def repository_name(project: Project, service: str) -> str:
    """The ECR repository of a service's images, without the registry: `oaktree/web`."""
    return f"{project.name}/{service}"


def repository_arn(project: Project, service: str) -> str:
    """The ARN of a service's ECR repository; `*` as the service stands for all of them."""
    name = repository_name(project, service)
    return f"arn:aws:ecr:{project.region}:{project.account_id}:repository/{name}"


def image_name(service: str, container: str) -> str:
    """Names the image that is built for a container: like the service, or `service.sidecar`."""
    return service if container == service else f"{service}.{container}"


def arn_of_ecr_image(image: str) -> str | None:
    """The ARN of the private ECR repository that an image is in, or None if it is elsewhere."""
    match = re.match(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)", image)
    return f"arn:aws:ecr:{match[2]}:{match[1]}:repository/{match[3]}" if match else None


def release_path(project: str, environment: str) -> str:
    """The SSM path under which an environment keeps its release records and nothing else."""
    return f"/{project}/{environment}/releases"


def release_parameter(project: Project, environment: str, service: str) -> str:
    """The SSM parameter that says which image a service runs: `/oaktree/dev/releases/web`."""
    return f"{release_path(project.name, environment)}/{service}"


def release_local(image: str) -> str:
    """Names the local value of a service stack that holds the release of an image.

    It is used within JSON text, so it has neither quotes nor dots.
    """
    return f"{image.replace('.', '_')}_release"


def release_lock(project: Project, environment: str, service: str) -> str:
    """The SSM parameter that is there while somebody records a release of a service."""
    return f"{release_lock_path(project.name, environment)}/{service}"


def release_lock_path(project: str, environment: str) -> str:
    """The SSM path of these locks, beside the records: Terraform reads all that is below theirs."""
    return f"{release_path(project, environment)}-lock"


def base(project: str, environment: str) -> str:
    """What the names of everything in an environment begin with: `oaktree-dev`."""
    return f"{project}-{environment}"


def log_group(project: str, environment: str, what: str) -> str:
    """The CloudWatch log group of a service, or of another source such as `flow-logs`."""
    return f"/{project}/{environment}/{what}"


def balancer_name(project: str, environment: str) -> str:
    """The load balancer that the services of an environment share."""
    return base(project, environment)


def service_name(project: str, environment: str, service: str) -> str:
    """An ECS service, the family of its task definition, and the load balancer of one that has its own."""
    return f"{base(project, environment)}-{service}"


TARGET_GROUP_CHARACTERS: Final = 32
"""Most characters of a target group's name. Source: Elastic Load Balancing API, CreateTargetGroup."""


def target_group_name(project: str, environment: str, service: str, immutable: str, vpc_id: str) -> str:
    """A name that changes with what AWS cannot change in place: `immutable`, and the VPC.

    So a replacement can be created and put into the listener before the previous one is deleted, which
    AWS refuses while a listener uses it. `vpc_id` is a reference, so the six hash digits are a Terraform
    expression. The name before them is cut where AWS's limit asks for it, and hashed whole.
    """
    name = service_name(project, environment, service)
    digits = 6
    readable = name[: TARGET_GROUP_CHARACTERS - digits - 1].rstrip("-")
    # CDKTF takes a reference within an expression for a part of it, and not of a text in it.
    return f'{readable}-${{substr(sha256(join(" ", ["{name} {immutable}", {vpc_id}])), 0, {digits})}}'


def before_deploy_family(project: str, environment: str, service: str) -> str:
    """The family of the task definition that runs before each deployment of a service."""
    return f"{service_name(project, environment, service)}-before-deploy"


def namespace(project: str, environment: str) -> str:
    """The private DNS domain in which services of an environment find each other: `dev.oaktree.internal`."""
    return f"{environment}.{project}.internal"


def internal_name(project: str, environment: str, service: str) -> str:
    """What a service is called there: `prices.dev.oaktree.internal`."""
    return f"{service}.{namespace(project, environment)}"


def alarm_prefix(project: str, environment: str, service: str) -> str:
    """What the names of a service's alarms begin with; no other name of ours has the slash.

    With a hyphen, the alarms of `web-api` would be taken for some of `web`.
    """
    return f"{service_name(project, environment, service)}/"


def environment_alarm_prefix(project: str, environment: str) -> str:
    """What the names of alarms begin with that are about no single service: `oaktree-dev/`."""
    return f"{base(project, environment)}/"


def unhealthy_alarm(project: str, environment: str) -> str:
    """The composite alarm that says that an environment is unhealthy."""
    return f"{environment_alarm_prefix(project, environment)}unhealthy"


def alarm_arn(environment: Environment, name: str) -> str:
    """The ARN of an alarm, by its whole name."""
    return f"arn:aws:cloudwatch:{environment.region}:{environment.account_id}:alarm:{name}"


def dashboard(project: str, environment: str) -> str:
    """The CloudWatch dashboard of an environment."""
    return base(project, environment)


def saved_query(project: str, environment: str, name: str) -> str:
    """A saved query of Logs Insights; the console shows what is before the slash as a folder."""
    return f"{base(project, environment)}/{name}"


def role_name(project: str, environment: str, what: str) -> str:
    """An IAM role, such as `oaktree-dev-web-task`."""
    return f"{base(project, environment)}-{what}"


def workload_boundary(project: str) -> str:
    """The IAM policy that bounds every role an environment creates."""
    return f"{project}-workload-boundary"


def job_boundary(project: str) -> str:
    """The IAM policy that bounds the roles which start jobs and deployments."""
    return f"{project}-job-boundary"


def chat_boundary(project: str) -> str:
    """The IAM policy that bounds the roles which chat channels act as."""
    return f"{project}-chat-boundary"


def boundary_arn(project: str, account_id: str, service: str) -> str:
    """The ARN of the policy, one in each account, that bounds the roles which an AWS service acts as."""
    name = workload_boundary(project)
    if service == "chatbot.amazonaws.com":
        name = chat_boundary(project)
    if service in ("events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"):
        name = job_boundary(project)
    return f"arn:aws:iam::{account_id}:policy/{name}"


def job_name(project: str, environment: str, job: str) -> str:
    """The schedule and the state machine of a job, and the family of its task definition."""
    return f"{base(project, environment)}-{job}"


def state_machine_arn(project: str, environment: Environment, job: str) -> str:
    """The ARN of a job's state machine."""
    name = job_name(project, environment.name, job)
    return f"arn:aws:states:{environment.region}:{environment.account_id}:stateMachine:{name}"


def dead_letter_queue(project: str, environment: str, job: str) -> str:
    """The SQS queue of the runs of a job that could not be started."""
    return f"{job_name(project, environment, job)}-dead-letters"


def task_events_rule_arn(region: str, account_id: str) -> str:
    """The ARN of the EventBridge rule that tells Step Functions of tasks; AWS chose its name.

    Source: Step Functions Developer Guide, "Run Amazon ECS or Fargate tasks with Step Functions".
    """
    return f"arn:aws:events:{region}:{account_id}:rule/StepFunctionsGetEventsForECSTaskRule"


GITHUB_SESSION_SECONDS: Final[Mapping[str, int]] = {"plan": 3600, "push": 3600, "deploy": 7200}
"""For how long a GitHub workflow assumes a role: all that its job may take, or it could not undo what it did.

Source: IAM User Guide, "Update the maximum session duration for a role": 1 to 12 hours.
"""


def github_role(project: str, duty: str) -> str:
    """The IAM role that a GitHub workflow assumes to `plan`, `push` or `deploy`."""
    return f"{project}-github-{duty}"


GITHUB_ISSUER: Final = "token.actions.githubusercontent.com"
"""Who issues the OIDC tokens of workflows. Source: GitHub Docs, "OpenID Connect reference"."""

GITHUB_AUDIENCE: Final = "sts.amazonaws.com"
"""Whom these tokens are for: AWS STS."""


def how_to_find_ids(project: Project) -> str:
    """How a person finds GitHub's ids of the repository. Source: GitHub REST API, "Get a repository"."""
    command = f"gh api repos/{project.repository} --jq '.owner.id, .id'"
    return f"`{command}` prints repository_owner_id and repository_id"


def github_provider_arn(account_id: str) -> str:
    """The ARN of GitHub's OIDC provider in an account: IAM allows one for each URL."""
    return f"arn:aws:iam::{account_id}:oidc-provider/{GITHUB_ISSUER}"


def table_name(project: str, environment: Environment) -> str:
    """The app's DynamoDB table."""
    return f"{base(project, environment.name)}-{environment.data.table}"


def table_arn(project: str, environment: Environment) -> str:
    """The ARN of that table."""
    name = table_name(project, environment)
    return f"arn:aws:dynamodb:{environment.region}:{environment.account_id}:table/{name}"


def variable(name: str, what: str) -> str:
    """The variable that tells a service of a store or another service that it uses, such as `SHOP_HOST`."""
    return f"{name}_{what}".upper().replace("-", "_")


def store_name(project: str, environment: str, store: str) -> str:
    """A store of an environment: the identifier of a database, and the name of a table."""
    return f"{base(project, environment)}-{store}"


def store_table_arn(project: str, environment: Environment, table: str) -> str:
    """The ARN of a DynamoDB table of `[tables]`."""
    name = store_name(project, environment.name, table)
    return f"arn:aws:dynamodb:{environment.region}:{environment.account_id}:table/{name}"


def queue_name(project: str, environment: Environment, queue: str) -> str:
    """An SQS queue; the name of one that keeps its messages in order ends as SQS asks."""
    if environment.queues[queue].name:
        return str(environment.queues[queue].name)
    ending = ".fifo" if environment.queues[queue].fifo else ""
    return f"{store_name(project, environment.name, queue)}{ending}"


def queue_dead_letters(project: str, environment: Environment, queue: str) -> str:
    """The SQS queue of the messages that were received too often."""
    ending = ".fifo" if environment.queues[queue].fifo else ""
    return f"{store_name(project, environment.name, queue)}-dlq{ending}"


def queue_url(project: str, environment: Environment, queue: str) -> str:
    """Where SQS answers for a queue. Source: Amazon SQS Developer Guide, "Queue and message identifiers"."""
    name = queue_name(project, environment, queue)
    return f"https://sqs.{environment.region}.amazonaws.com/{environment.account_id}/{name}"


def topic_name(project: str, environment: Environment, topic: str) -> str:
    """An SNS topic of `[topics]`; the name of one that keeps its messages in order ends as SNS asks."""
    ending = ".fifo" if environment.topics[topic].fifo else ""
    return f"{store_name(project, environment.name, topic)}{ending}"


def topic_arn(project: str, environment: Environment, topic: str) -> str:
    """The ARN of that topic."""
    name = topic_name(project, environment, topic)
    return f"arn:aws:sns:{environment.region}:{environment.account_id}:{name}"


def queue_arn(environment: Environment, name: str) -> str:
    """The ARN of the SQS queue with a name."""
    return f"arn:aws:sqs:{environment.region}:{environment.account_id}:{name}"


def bucket_name(project: str, environment: Environment, bucket: str) -> str:
    """An S3 bucket of `[buckets]`; unique in all of AWS by the account's id."""
    return (
        environment.buckets[bucket].name
        or f"{store_name(project, environment.name, bucket)}-{environment.account_id}"
    )


def database_identifier(project: str, environment: Environment, database: str) -> str:
    """An RDS instance of `[databases]`."""
    return environment.databases[database].name or store_name(project, environment.name, database)


def database_subnet_group(project: str, environment: str) -> str:
    """The RDS subnet group over the database tier of an environment."""
    return base(project, environment)


def secret_rotation(project: str, environment: str, database: str) -> str:
    """What redeploys the services of a database: a rule, a state machine, and their roles."""
    return f"{store_name(project, environment, database)}-rotated"


def database_log(database: str, log: str) -> str:
    """The log group that RDS writes a log of a database to.

    Source: Amazon RDS User Guide, "Publishing PostgreSQL logs to Amazon CloudWatch Logs".
    """
    return f"/aws/rds/instance/{database}/{log}"


def task_volume(volume: str) -> str:
    """What the task definitions of its services call a volume of `[volumes]`."""
    return f"volume-{volume}"


def access_log_bucket(project: str, environment: Environment) -> str:
    """The S3 bucket for the access logs of an environment's load balancers."""
    return f"{base(project, environment.name)}-access-logs-{environment.account_id}"


def alarm_topic(project: str, environment: str) -> str:
    """The name of the SNS topic that an environment's alarms are published to."""
    return f"{base(project, environment)}-alarms"


def on_call_topic(project: str, environment: str) -> str:
    """The name of the SNS topic that only the alarm "unhealthy" publishes to."""
    return f"{base(project, environment)}-on-call"


def alarm_topic_arn(environment: Environment, name: str) -> str:
    """The ARN of one of these topics, by its name."""
    return f"arn:aws:sns:{environment.region}:{environment.account_id}:{name}"


def chat_channel(project: str, environment: str, chat: str) -> str:
    """The configuration of the `slack` or `teams` channel that gets an environment's alarms, and its role."""
    return f"{base(project, environment)}-{chat}"


WAITS_FOR: Final = "waits_for_"
"""How the Terraform check begins that fails while a stack lacks something of the stack that is named next."""


def waits(stack: str, needed: str, lacks: str) -> str:
    """The message for a stack that needs what another one, of an environment, does not have yet."""
    environment, _, kind = needed.rpartition("-")
    named = f"ENV={environment} STACK={kind}"
    return f"{stack} waits for {needed}: {lacks}. Apply it first: `make plan {named} && make apply {named}`."
