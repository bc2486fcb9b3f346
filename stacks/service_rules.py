"""What a service must fulfil by itself, beyond the form of each value."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Final

from stacks import fargate, routing, schedules
from stacks.problems import Key, Problem, nearest
from stacks.service_settings import Scaling, ScheduledScaling, Service
from stacks.status_app import STATUS

EXEC_PATHS: Final = ("/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm")
"""What the agent of ECS Exec writes to. Source: containers-roadmap issues 1359 and 2824."""

CONTAINERS_OF_A_TASK: Final = 10
"""Most containers of a task definition. Source: Amazon ECS Developer Guide, "Amazon ECS service quotas"."""

_ANY: Final = ("web", "worker", "job")

KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("dockerfile", "context", "target", "build_args", "image", "same_image_as"),
                *("command", "entry_point", "user", "working_directory", "environment", "env_file"),
                *("container_health", "capabilities", "ephemeral_storage", "sidecars", "local"),
                *("uses", "permissions", "egress"),
            ),
            _ANY,
        ),
        **dict.fromkeys(
            (
                *("port", "target_container", "internal", "path", "stickiness"),
                *("health_path", "health_status", "version_path"),
            ),
            ("web",),
        ),
        **dict.fromkeys(
            (
                "load_balancer",
                "domain",
                "hosted_zone",
                "allowed_cidrs",
                "health_check",
                "deregistration_delay",
            ),
            ("web", "status"),
        ),
        **dict.fromkeys(("scaling", "exec"), ("web", "worker", "status")),
        "before_deploy": ("web", "worker"),
        **dict.fromkeys(("schedule", "timezone", "timeout", "retries", "overlap"), ("job",)),
        **dict.fromkeys(("keep_alive", "page", "token_over_http"), ("status",)),
    }
)
"""Keys that only services of some kinds have."""

OF_BALANCED: Final = (
    *("load_balancer", "domain", "hosted_zone", "path", "allowed_cidrs", "stickiness"),
    *("health_check", "deregistration_delay", "version_path"),
)
"""Keys that concern requests from a load balancer, which an internal service has none of."""


def service_problems(service: Service) -> Iterator[Problem]:
    """What is wrong within `[services.<name>]`, if it is enabled; keys are relative to it."""
    if not service.enabled:
        return
    yield from _kind_problems(service)
    yield from _image_problems(service)
    yield from _container_problems(service)
    yield from _scaling_problems(service)
    if service.health_check.timeout >= service.health_check.interval:
        yield Problem(
            ("health_check", "timeout"),
            service.health_check.timeout,
            f"less than interval = {service.health_check.interval}",
        )
    for name, container in (("", service), *service.sidecars.items()):
        check = container.container_health
        if check and check.timeout >= check.interval:
            problem = Problem(
                ("container_health", "timeout"), check.timeout, f"less than interval = {check.interval}"
            )
            yield problem.under("sidecars", name) if name else problem
    if service.kind == "status":
        for name in sorted(service.secrets.keys() - STATUS.secrets):
            yield Problem(
                ("secrets", name), None, f"the app has no such secret; {nearest(name, STATUS.secrets)}"
            )


def _kind_problems(service: Service) -> Iterator[Problem]:
    for key in service.model_fields_set:
        if service.kind not in KINDS.get(key, (service.kind,)):
            kinds = " or ".join(f'kind = "{kind}"' for kind in KINDS[key])
            yield Problem((key,), None, f"only for {kinds}; this service has kind = {service.kind!r}")
        elif service.internal and key in OF_BALANCED:
            yield Problem((key,), None, "has no effect: with internal = true no load balancer sends requests")
    if service.kind == "job" and service.schedule is None:
        yield Problem(
            ("schedule",),
            None,
            'is required for kind = "job": when it runs, such as "cron(0 3 * * ? *)" or "@daily"',
        )
    if service.row.slow_after and service.kind not in ("web", "status"):
        yield Problem(
            ("row", "slow_after"),
            service.row.slow_after,
            f'only for kind = "web" or kind = "status"; this service has kind = {service.kind!r}',
        )
    if service.load_balancer == "own" and service.path != "/":
        yield Problem(
            ("path",), service.path, 'leave it out: with load_balancer = "own" it gets every request of it'
        )


def _image_problems(service: Service) -> Iterator[Problem]:
    if service.kind == "status":
        return
    for name, container in (("", service), *service.sidecars.items()):
        under = ("sidecars", name) if name else ()
        given = [key for key in ("dockerfile", "image", "same_image_as") if getattr(container, key)]
        if len(given) != 1:
            found = f"; there are {' and '.join(given)}" if given else ""
            allowed = f"one of dockerfile, image and same_image_as says which image it runs{found}"
            yield Problem((*under, given[-1] if given else "dockerfile"), None, allowed)
        for key in ("context", "target", "build_args"):
            if getattr(container, key) and not container.dockerfile:
                yield Problem((*under, key), None, "only with dockerfile: nothing else is built")


def _container_problems(service: Service) -> Iterator[Problem]:
    if len(service.sidecars) >= CONTAINERS_OF_A_TASK:
        yield Problem(("sidecars",), None, f"at most {CONTAINERS_OF_A_TASK - 1} sidecars")
    if service.target_container and service.target_container not in service.sidecars:
        yield Problem(
            ("target_container",),
            service.target_container,
            f"the name of a sidecar; {nearest(service.target_container, service.sidecars)}",
        )
    elif service.target_container and not service.sidecars[service.target_container].port:
        yield Problem(
            ("sidecars", service.target_container, "port"), None, "is required: requests go to this container"
        )
    for name, each in (("", service), *service.sidecars.items()):
        under = ("sidecars", name) if name else ()
        for variable in sorted(each.environment.keys() & each.secrets.keys()):
            yield Problem(
                (*under, "environment", variable),
                None,
                "leave it out: a secret gives the container this variable",
            )
        for variable in sorted(variable for variable, value in each.environment.items() if not value):
            yield Problem(
                (*under, "environment", variable),
                "",
                "not empty: AWS drops such a variable, and every plan would set it again",
            )
    ports = {"": routing.port_of(service), **{name: each.port for name, each in service.sidecars.items()}}
    for (_, one), (name, other) in combinations(ports.items(), 2):
        if one is not None and one == other:
            yield Problem(
                ("sidecars", name, "port"), other, "another port: the containers of a task share them"
            )
    missing = [path for path in EXEC_PATHS if path not in service.writable_paths]
    if service.exec and service.read_only_root and missing:
        paths = ", ".join(f'"{path}"' for path in (*service.writable_paths, *missing))
        yield Problem(
            ("exec",),
            True,
            f"needs mounts while read_only_root is set; add writable_paths = [{paths}]",
        )


def _scaling_problems(service: Service) -> Iterator[Problem]:
    scaling = service.scaling
    if found := fargate.problem_with(service.cpu, service.memory):
        key, allowed = found
        yield Problem((key,), getattr(service, key), f"Fargate does not sell this; {allowed}")
    limits: list[tuple[Key, Scaling | ScheduledScaling]] = [((), scaling)]
    limits += ((("schedule", index), each) for index, each in enumerate(scaling.schedule))
    for place, each in limits:
        if each.min_capacity > each.max_capacity:
            yield Problem(
                ("scaling", *place, "min_capacity"),
                each.min_capacity,
                f"at most max_capacity = {each.max_capacity}",
            )
    times: set[tuple[str, str]] = set()
    for index, each in enumerate(scaling.schedule):
        time = (schedules.parse(each.at).expression, each.timezone)
        if time in times:
            yield Problem(
                ("scaling", "schedule", index, "at"), each.at, "another time: this one is there already"
            )
        times.add(time)
    if scaling.queue and service.kind != "worker":
        yield Problem(
            ("scaling", "queue"),
            scaling.queue,
            f'only for kind = "worker"; this service has kind = {service.kind!r}',
        )
    if "messages_per_task" in scaling.model_fields_set and not scaling.queue:
        yield Problem(("scaling", "messages_per_task"), scaling.messages_per_task, "only with scaling.queue")
    if not scaling.min_capacity and not scaling.queue:
        yield Problem(
            ("scaling", "min_capacity"), 0, "at least 1; only a worker with scaling.queue can scale from 0"
        )
    if scaling.requests_per_target and not routing.is_balanced(service):
        yield Problem(
            ("scaling", "requests_per_target"),
            scaling.requests_per_target,
            "only for a service behind a load balancer, which counts requests",
        )
