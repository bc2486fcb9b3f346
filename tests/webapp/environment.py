"""The environment of a task, as the platform would write it."""

from hashlib import sha256

from webapp.contract import Configuration, environment_of

REGION = "eu-central-1"
ACCOUNT_ID = "123456789012"
TABLE = "oaktree-dev"
CLUSTER = "oaktree-dev"
ECS_SERVICE = "oaktree-dev-web"
ALARM_PREFIX = "oaktree-dev-web/"
LOG_GROUP = "/oaktree/dev/web"
REPOSITORY = "oaktree/web"
DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{DIGEST}"
TOKEN = "a-token-that-may-write"
TOKEN_SHA256 = sha256(TOKEN.encode()).hexdigest()
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "session-token-of-the-task",
}


def environ_of(
    endpoint: str, *, check_interval: int = 15, keep_alive: int = 65, shutdown_timeout: int = 20
) -> dict[str, str]:
    """The variables the platform gives a task, and those by which botocore finds its AWS."""
    configuration = Configuration(
        environment="dev",
        service="web",
        aws_region=REGION,
        table=TABLE,
        cluster=CLUSTER,
        ecs_service=ECS_SERVICE,
        alarm_prefix=ALARM_PREFIX,
        log_group=LOG_GROUP,
        check_interval=check_interval,
        image=IMAGE,
        commit="0123456789abcdef0123456789abcdef01234567",
        keep_alive=keep_alive,
        shutdown_timeout=shutdown_timeout,
    )
    return environment_of(configuration) | CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}
