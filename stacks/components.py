"""What the status app watches: everything that an environment has, each thing a component with a row.

Pure functions of the settings. A component's id is the word by which the settings name it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stacks import cron_fields, naming, routing, schedules
from stacks.page_settings import Row
from stacks.policies import Statement
from stacks.schedules import Rate
from stacks.service_settings import Service
from stacks.settings import ANYWHERE, Environment, Project
from stacks.status_app import STATUS, Calendar, Component, Interval, Kind, Resource

SERVICES, JOBS, DATA, OWN = "Services", "Jobs", "Data", "Status page"
"""Groups of the page, in this order unless the settings say otherwise."""

STORES: Final[Mapping[str, tuple[Kind, str, Resource]]] = {
    "databases": (Kind.DATABASE, "database", Resource.DATABASES),
    "caches": (Kind.CACHE, "cache", Resource.CACHES),
    "queues": (Kind.QUEUE, "queue", Resource.QUEUES),
    "topics": (Kind.TOPIC, "topic", Resource.TOPICS),
    "buckets": (Kind.BUCKET, "bucket", Resource.BUCKETS),
    "tables": (Kind.TABLE, "table", Resource.TABLES),
    "volumes": (Kind.VOLUME, "volume", Resource.VOLUMES),
}
"""The tables of the settings with what keeps data: kind of the components, what they are called, resource."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the status app asks a service over HTTP."""

    url: str
    """`balancer_name` in it stands for the DNS name of a load balancer, which only AWS knows."""
    statuses: str
    """Status codes of a service that works."""


def balancer_name(key: str) -> str:
    """Returns what stands in a probe's URL for the DNS name of a load balancer, by the balancer's key."""
    return f"<balancer {key}>" if key else "<balancer>"


def components(project: Project, environment: Environment, key: str) -> tuple[Component, ...]:
    """Returns what a status app of an environment watches, in the order of its page."""
    page = environment.services[key].page
    found = [
        *_services(project, environment),
        *_stores(project, environment),
        *_own(project, environment),
    ]
    others = [each.group for each in found if each.group != OWN]
    order = list(dict.fromkeys([*page.groups, SERVICES, JOBS, DATA, *others, OWN]))
    return tuple(sorted(found, key=lambda each: order.index(each.group)))


def probes(project: Project, environment: Environment) -> Mapping[str, Probe]:
    """Returns the services that a status app can ask over HTTP, by the ids of their components.

    One behind a load balancer has to admit everybody, for nobody knows where the app calls from, and there
    has to be a way from tasks to the internet. An internal one is asked by its private name.
    """
    found: dict[str, Probe] = {}
    for key, service in environment.services.items():
        if probe := _probe(project, environment, key, service):
            found[f"services.{key}"] = probe
    return found


def probed_inside(environment: Environment) -> tuple[str, ...]:
    """Returns the services that a status app asks by their private names."""
    return tuple(key for key, service in environment.services.items() if service.internal)


def probes_plain_http(environment: Environment) -> bool:
    """Returns whether a status app asks a load balancer that has no domain, and so no HTTPS."""
    return any(
        _is_open(environment, service) and not routing.domains(environment, service)
        for service in environment.services.values()
    )


def groups(environment: Environment) -> frozenset[str]:
    """Returns the groups of an environment's components."""
    kinds = {service.kind for service in environment.services.values()}
    default = {OWN, JOBS if "job" in kinds else OWN, SERVICES if kinds - {"job"} else OWN}
    if any(getattr(environment, table) for table in STORES):
        default.add(DATA)
    rows = [each.row for table in ("services", *STORES) for each in getattr(environment, table).values()]
    return frozenset({*default, *(row.group for row in rows if row.group)})


def resources(project: Project, environment: Environment, key: str) -> Mapping[Resource, tuple[str, ...]]:
    """Returns the ARNs of what a status app acts on, by the resources that its grants name.

    They stand for all that has a name of the environment's, or a policy would grow with each store beyond
    what IAM allows; stores that were there before have names of their own. CloudWatch asks for the right to
    all alarms when it looks for those whose names begin alike, and whoever looks for a file system by its
    creation token names none.
    Sources: AWS Service Authorization Reference; aws-samples/amazon-cloudwatch-auto-alarms, issue 1.
    """
    here = f"{environment.region}:{environment.account_id}"
    base = naming.base(project.name, environment.name)
    own = {
        Resource.DATABASES: f"arn:aws:rds:{here}:db:{base}-*",
        Resource.CACHES: f"arn:aws:elasticache:{here}:replicationgroup:{base}-*",
        Resource.QUEUES: f"arn:aws:sqs:{here}:{base}-*",
        Resource.TOPICS: f"arn:aws:sns:{here}:{base}-*",
        Resource.BUCKETS: f"arn:aws:s3:::{base}-*-{environment.account_id}",
        Resource.TABLES: f"arn:aws:dynamodb:{here}:table/{base}-*",
        Resource.VOLUMES: "*",
        Resource.STATE_MACHINES: f"arn:aws:states:{here}:stateMachine:{base}-*",
        Resource.TARGETS: "*",
    }
    there = existing(project, environment)
    absent = _absent(environment)
    return {
        Resource.TABLE: (naming.table_arn(project.name, environment),),
        Resource.SERVICES: (f"arn:aws:ecs:{here}:service/{base}/{base}-*",),
        Resource.IMAGES: (naming.repository_arn(project, key),),
        Resource.ALARMS: (f"arn:aws:cloudwatch:{here}:alarm:*",),
        Resource.ANY: ("*",),
        **{
            resource: () if resource in absent else (arn, *there.get(resource, ()))
            for resource, arn in own.items()
        },
    }


def existing(project: Project, environment: Environment) -> Mapping[Resource, tuple[str, ...]]:
    """Returns the ARNs of stores that were there before, whose names are not the project's."""
    name, here = project.name, f"{environment.region}:{environment.account_id}"
    return {
        Resource.DATABASES: tuple(
            f"arn:aws:rds:{here}:db:{naming.database_identifier(name, environment, key)}"
            for key, each in environment.databases.items()
            if each.existing
        ),
        Resource.QUEUES: tuple(
            naming.queue_arn(environment, naming.queue_name(name, environment, key))
            for key, each in environment.queues.items()
            if each.existing
        ),
        Resource.BUCKETS: tuple(
            f"arn:aws:s3:::{naming.bucket_name(name, environment, key)}"
            for key, each in environment.buckets.items()
            if each.existing
        ),
    }


def about_existing(project: Project, environment: Environment) -> Iterator[Statement]:
    """Yields what a status app asks about them."""
    arns = existing(project, environment)
    for grant in STATUS.grants:
        for arn in arns.get(grant.resource, ()):
            yield Statement(grant.sid, grant.actions, [arn])


def _absent(environment: Environment) -> frozenset[Resource]:
    """Returns the kinds of resources that an environment has none of."""
    services = environment.services.values()
    absent = {resource for table, (_, _, resource) in STORES.items() if not getattr(environment, table)}
    if all(service.kind != "job" for service in services):
        absent.add(Resource.STATE_MACHINES)
    if not any(routing.is_balanced(service) for service in services):
        absent.add(Resource.TARGETS)
    return frozenset(absent)


def called(environment: Environment) -> frozenset[str]:
    """Returns the AWS services, by their IAM prefixes, that the status apps of an environment call."""
    if all(service.kind != "status" for service in environment.services.values()):
        return frozenset()
    absent = _absent(environment)
    grants = [grant for grant in STATUS.grants if grant.resource not in absent]
    return frozenset(action.partition(":")[0] for grant in grants for action in grant.actions)


def _services(project: Project, environment: Environment) -> Iterator[Component]:
    asked = probes(project, environment)
    for key, service in environment.services.items():
        word = f"services.{key}"
        if service.kind == "job":
            arn = naming.state_machine_arn(project.name, environment, key)
            yield _component(
                word,
                Kind.JOB,
                _title(key),
                JOBS,
                arn,
                service.row,
                schedule=schedule_of(service),
                overlaps=service.overlap,
            )
            continue
        name = naming.service_name(project.name, environment.name, key)
        title = "This page" if service.kind == "status" else _title(key)
        if service.kind == "worker":
            queue = _queue_of(environment, service)
            url = naming.queue_url(project.name, environment, queue) if queue else None
            yield _component(word, Kind.WORKER, title, SERVICES, name, service.row, queue=url)
            continue
        yield _component(
            word,
            Kind.WEB,
            title,
            SERVICES,
            name,
            service.row,
            slow_after=service.row.slow_after,
            rests=any(not limits.min_capacity for limits in service.scaling.schedule),
            statuses=asked[word].statuses if word in asked else None,
        )


def _stores(project: Project, environment: Environment) -> Iterator[Component]:
    name = project.name
    for table, (kind, noun, _) in STORES.items():
        for key, store in getattr(environment, table).items():
            dead_letters = None
            match kind:
                case Kind.DATABASE:
                    resource = naming.database_identifier(name, environment, key)
                case Kind.QUEUE:
                    resource, *letters = _queue_urls(project, environment, key)
                    dead_letters = letters[0] if letters else None
                case Kind.TOPIC:
                    resource = naming.topic_arn(name, environment, key)
                case Kind.BUCKET:
                    resource = naming.bucket_name(name, environment, key)
                case _:
                    resource = naming.store_name(name, environment.name, key)
            title = f"{_title(key)} {noun}"
            yield _component(
                f"{table}.{key}", kind, title, DATA, resource, store.row, dead_letters=dead_letters
            )


def _own(project: Project, environment: Environment) -> Iterator[Component]:
    table = naming.table_name(project.name, environment)
    base = naming.base(project.name, environment.name)
    hidden = Row(public=False)
    yield _component("status.table", Kind.STORAGE, "History", OWN, table, hidden)
    yield _component("status.image", Kind.IMAGE, "Image", OWN, "image", hidden)
    yield _component("status.alarms", Kind.ALARMS, "Alarms", OWN, base, hidden)


def _component(
    id: str,
    kind: Kind,
    title: str,
    group: str,
    resource: str,
    row: Row,
    *,
    schedule: Calendar | Interval | None = None,
    overlaps: bool = False,
    rests: bool = False,
    slow_after: int | None = None,
    statuses: str | None = None,
    queue: str | None = None,
    dead_letters: str | None = None,
) -> Component:
    return Component(
        id=id,
        kind=kind,
        name=row.title or title,
        group=row.group or group,
        public=row.public,
        resource=resource,
        schedule=schedule,
        overlaps=overlaps,
        rests=rests,
        slow_after=slow_after,
        statuses=statuses,
        queue=queue,
        dead_letters=dead_letters,
    )


def _title(key: str) -> str:
    return key.replace("-", " ").capitalize()


def _queue_of(environment: Environment, service: Service) -> str | None:
    """Returns the queue whose messages a worker works on: that which it scales by, or the first it reads."""
    read = [use.name for use in service.uses if use.kind == "queues" and use.reads]
    return service.scaling.queue or next((name for name in read if name in environment.queues), None)


def _queue_urls(project: Project, environment: Environment, key: str) -> list[str]:
    """Returns the URL of a queue and that of its dead-letter queue, which of an existing one is not known."""
    url = naming.queue_url(project.name, environment, key)
    if environment.queues[key].existing:
        return [url]
    letters = naming.queue_dead_letters(project.name, environment, key)
    return [url, f"{url.rpartition('/')[0]}/{letters}"]


def _probe(project: Project, environment: Environment, key: str, service: Service) -> Probe | None:
    if service.internal:
        host = naming.internal_name(project.name, environment.name, key)
        given = "health_path" in service.model_fields_set
        path = service.health_path if given else "/"
        statuses = service.health_status if given else routing.ANY_ANSWER
        return Probe(f"http://{host}:{routing.address_port(service)}{path}", statuses)
    if not _is_open(environment, service):
        return None
    balancer = balancer_name(key if service.load_balancer == "own" else "")
    url = routing.url(environment, service, balancer)
    if service.kind == "status":
        return Probe(f"{url}{STATUS.health_path}", "200")
    inner = routing.below(service, service.health_path)
    return Probe(url, routing.ANY_ANSWER) if inner is None else Probe(f"{url}{inner}", service.health_status)


def _is_open(environment: Environment, service: Service) -> bool:
    """Returns whether tasks of the environment can reach a service through its load balancer."""
    if not routing.is_balanced(service) or not environment.network.has_internet:
        return False
    of_balancer = environment.load_balancer.allowed_cidrs
    if service.load_balancer == "own":
        return ANYWHERE in (service.allowed_cidrs or of_balancer)
    return ANYWHERE in of_balancer and ANYWHERE in (service.allowed_cidrs or (ANYWHERE,))


def schedule_of(job: Service) -> Calendar | Interval | None:
    """Returns when a job runs, in numbers."""
    if job.schedule is None:
        return None
    parsed = schedules.parse(job.schedule)
    if isinstance(parsed, Rate):
        return Interval(seconds=int(parsed.interval.total_seconds()))
    last_day, near_day, days, weekdays, which = False, None, None, None, None
    if parsed.weekday != "?":
        text, which = cron_fields.split_day_of_week(parsed.weekday) or (parsed.weekday, None)
        # AWS counts from Sunday, 1; L alone is Saturday.
        named = {7} if text == "L" else cron_fields.values_of(cron_fields.WEEKDAY, text)
        weekdays = tuple(sorted((number - 2) % 7 + 1 for number in named))
    elif parsed.day == "L":
        last_day = True
    elif parsed.day.endswith("W"):
        near_day = int(parsed.day[:-1])
    elif parsed.day != "*":
        days = tuple(sorted(cron_fields.values_of(cron_fields.DAY, parsed.day)))
    return Calendar(
        timezone=job.timezone,
        minutes=_some(cron_fields.MINUTE.all, parsed.minutes),
        hours=_some(cron_fields.HOUR.all, parsed.hours),
        months=_some(cron_fields.MONTH.all, parsed.months),
        years=_some(cron_fields.YEAR.all, parsed.years),
        days=days,
        last_day=last_day,
        near_day=near_day,
        weekdays=weekdays,
        which=which,
    )


def _some(all_values: frozenset[int], values: frozenset[int]) -> tuple[int, ...] | None:
    return None if values == all_values else tuple(sorted(values))
