"""What the app watches. Each component has a row on the page, a check, and its own part of the history."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from webapp.schedule import Schedule

ID_PATTERN: Final = r"^[a-z]{1,20}\.[a-z][a-z0-9-]{0,62}$"
"""A component's id is the word by which settings name it: `services.web`, `queues.orders`."""

STATUSES_PATTERN: Final = r"^[1-5]\d\d(-[1-5]\d\d)?(,[1-5]\d\d(-[1-5]\d\d)?)*$"


class Kind(StrEnum):
    """What a component is, which decides how it is checked."""

    WEB = "web"
    WORKER = "worker"
    JOB = "job"
    DATABASE = "database"
    CACHE = "cache"
    QUEUE = "queue"
    TOPIC = "topic"
    BUCKET = "bucket"
    TABLE = "table"
    VOLUME = "volume"
    STORAGE = "storage"
    """The app's own table; without it, the app is not ready."""

    IMAGE = "image"
    """The image that a service runs."""

    ALARMS = "alarms"
    """The CloudWatch alarms of the environment."""


class Component(BaseModel):
    """One thing that is watched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=ID_PATTERN)]
    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What people call it."""

    group: Annotated[str, Field(min_length=1, max_length=80)]
    """The heading under which the page shows it."""

    public: bool = True
    """Whether everybody sees it; if not, operators only."""

    resource: Annotated[str, Field(min_length=1, max_length=2048)]
    """What AWS knows it by: a name, or an ARN where the API of its check takes nothing else."""

    schedule: Schedule | None = None
    """When a job runs."""

    overlaps: bool = False
    """Whether a run of a job begins while an older one is in progress; else it ends at once, as succeeded."""

    statuses: Annotated[str, Field(pattern=STATUSES_PATTERN)] | None = None
    """HTTP status codes with which a web service answers that works, such as "200" or "200-399"."""

    queue: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """URL of the queue whose messages a worker works on."""

    dead_letters: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """URL of the dead-letter queue of a queue."""

    rests: bool = False
    """Whether a schedule of the settings leaves a web service without a task at times."""

    slow_after: Annotated[int, Field(gt=0)] | None = None
    """Milliseconds from which an answer is slow, which is degraded; None if its time does not matter."""

    @property
    def word(self) -> str:
        """Returns the component's name in the settings: `web` for `services.web`."""
        return self.id.partition(".")[2]


COMPONENTS: Final = TypeAdapter(tuple[Component, ...])
"""Reads and writes the list of all components, as JSON."""
