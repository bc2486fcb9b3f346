"""The environment of a task, as the platform would write it."""

from hashlib import sha256

from webapp.components import COMPONENTS, Component, Kind
from webapp.contract import Configuration, environment_of
from webapp.settings import Settings
from webapp.status import overdue_after

REGION = "eu-central-1"
ACCOUNT_ID = "123456789012"
TABLE = "oaktree-dev"
CLUSTER = "oaktree-dev"
ECS_SERVICE = "oaktree-dev-web"
ALARM_PREFIX = "oaktree-dev-web/"
REPOSITORY = "oaktree/web"
WORKER = "oaktree-dev-worker"
WEB_ID, WORKER_ID = "services.web", "services.worker"
TABLE_ID, IMAGE_ID, ALARMS_ID = "status.table", "status.image", "status.alarms"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{DIGEST}"
TOKEN = "a-token-that-may-write"
TOKEN_SHA256 = sha256(TOKEN.encode()).hexdigest()
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
VARIABLES = frozenset(name.upper() for name in Configuration.model_fields)
"""The names of the app's plain variables."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "session-token-of-the-task",
}


def component(
    id: str, kind: Kind, name: str, resource: str, *, group: str = "Services", public: bool = True
) -> Component:
    """A component of the tests."""
    return Component(id=id, kind=kind, name=name, group=group, resource=resource, public=public)


WATCHED = (
    component(WEB_ID, Kind.WEB, "Web shop", ECS_SERVICE),
    component(WORKER_ID, Kind.WORKER, "Worker", WORKER),
    component(TABLE_ID, Kind.STORAGE, "History", TABLE, group="Status page"),
    component(IMAGE_ID, Kind.IMAGE, "Image", REPOSITORY, group="Status page"),
    component(ALARMS_ID, Kind.ALARMS, "Alarms", ALARM_PREFIX.removesuffix("-web/"), group="Status page"),
)
"""What the app watches in the tests."""

IDS = tuple(each.id for each in WATCHED)


def components(**resources: str) -> str:
    """COMPONENTS with the resources of some replaced, by the word of their id: `table="nowhere"`."""
    watched = tuple(
        each.model_copy(update={"resource": resources.get(each.word, each.resource)}) for each in WATCHED
    )
    return COMPONENTS.dump_json(watched, exclude_none=True).decode()


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
        components=components(),
        check_interval=check_interval,
        image=IMAGE,
        commit=COMMIT,
        keep_alive=keep_alive,
        shutdown_timeout=shutdown_timeout,
    )
    return environment_of(configuration) | CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}


def all_overdue_after(settings: Settings) -> float:
    """The seconds after which the checks of all components are overdue."""
    return max(overdue_after(each, settings) for each in settings.watched.values())
