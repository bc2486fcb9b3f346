"""The environment of a task, as the platform would write it."""

from webapp.contract import Configuration, environment_of

REGION = "eu-central-1"
TABLE = "oaktree-dev"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "session-token-of-the-task",
}


def environ_of(endpoint: str, *, keep_alive: int = 65, shutdown_timeout: int = 20) -> dict[str, str]:
    """The variables the platform gives a task, and those by which botocore finds its AWS."""
    configuration = Configuration(
        environment="dev",
        service="web",
        aws_region=REGION,
        table=TABLE,
        image=f"registry.example/oaktree/web@sha256:{'ab' * 32}",
        commit="0123456789abcdef0123456789abcdef01234567",
        keep_alive=keep_alive,
        shutdown_timeout=shutdown_timeout,
    )
    return environment_of(configuration) | CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}
