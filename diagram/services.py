"""ECS services and jobs: what runs, how many, behind what, and what it reaches."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diagram.configuration import Configuration, Resource, blocks, document
from diagram.stores import Store, store_of, stores_in


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a load balancer: what it does, and the target groups that it forwards to."""

    words: str
    port: int
    targets: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer, its DNS names, and the bucket that it logs to."""

    resource: Resource
    name: str
    is_internal: bool
    domains: tuple[str, ...]
    listeners: tuple[Listener, ...]
    logs: tuple[Store, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """An ECS service, or a job: `lines` describe it, `cluster` is its cluster's name."""

    resource: Resource
    name: str
    lines: tuple[str, ...]
    cluster: str
    targets: tuple[Resource, ...]
    subnets: tuple[Resource, ...]
    stores: tuple[Store, ...]
    groups: tuple[Resource, ...] = ()
    """The security groups of its tasks."""


def balancers(configuration: Configuration) -> list[Balancer]:
    """Returns all load balancers."""
    return [_balancer(configuration, each) for each in configuration.all("aws_lb", "aws_alb")]


def services(configuration: Configuration) -> list[Service]:
    """Returns all ECS services, and the state machines that run tasks of ECS."""
    jobs = (_job(configuration, each) for each in configuration.all("aws_sfn_state_machine"))
    return [
        *(_service(configuration, each) for each in configuration.all("aws_ecs_service")),
        *(job for job in jobs if job),
    ]


def used(configuration: Configuration, user: Service, services: list[Service]) -> list[tuple[Service, str]]:
    """Returns the services that the rules of a service's groups lead to, each with the port."""
    found = []
    for rule in configuration.all("aws_vpc_security_group_egress_rule"):
        if any(configuration.refers(rule, ("security_group_id",), group) for group in user.groups):
            port = configuration.text(rule.stack, rule.body.get("from_port"))
            found += [
                (service, f"port {port}" if port else "")
                for service in services
                if any(
                    configuration.refers(rule, ("referenced_security_group_id",), each)
                    for each in service.groups
                )
            ]
    return found


def routes(configuration: Configuration, target: Resource) -> list[str]:
    """Returns what the rules say that forward to a target group: "www.example.com/api"."""
    found = set()
    for rule in configuration.all("aws_lb_listener_rule", "aws_alb_listener_rule"):
        if configuration.refers(rule, ("action",), target):
            host, path = "", ""
            for condition in blocks(rule.body.get("condition")):
                host = _first(condition.get("host_header")) or host
                path = _first(condition.get("path_pattern")) or path
            found.add(host + path.removesuffix("*"))
    return sorted(found - {"", "/"})


def health(configuration: Configuration, target: Resource) -> str:
    """Describes how a target group reaches its targets: protocol, port, health check."""
    words = _joined(configuration, target, "protocol", "port")
    for check in blocks(target.body.get("health_check"))[:1]:
        if path := configuration.text(target.stack, check.get("path")):
            words += f", health {path}"
    return words


def alarms(configuration: Configuration, service: Service) -> list[tuple[Store, int]]:
    """Returns the topics that alarms on a service or its target groups notify, with the number of alarms."""
    found: Counter[Store] = Counter()
    for alarm in configuration.all("aws_cloudwatch_metric_alarm"):
        if _is_on(configuration, alarm, service):
            topics = (
                store_of(configuration, each) for each in configuration.references(alarm, "alarm_actions")
            )
            found.update({topic for topic in topics if topic})
    return sorted(found.items())


def _balancer(configuration: Configuration, balancer: Resource) -> Balancer:
    domains = [
        configuration.text(record.stack, record.body.get("name")) or record.address
        for record in configuration.all("aws_route53_record")
        if configuration.refers(record, ("alias", "records"), balancer)
    ]
    logs = [
        store
        for each in configuration.references(balancer, "access_logs")
        if (store := store_of(configuration, each))
    ]
    listeners = [
        _listener(configuration, each)
        for each in configuration.all("aws_lb_listener", "aws_alb_listener")
        if configuration.refers(each, ("load_balancer_arn",), balancer)
    ]
    return Balancer(
        balancer,
        _name(configuration, balancer),
        balancer.body.get("internal") is True,
        tuple(sorted(set(domains))),
        tuple(sorted(listeners, key=lambda each: -each.port)),
        tuple(logs),
    )


def _listener(configuration: Configuration, listener: Resource) -> Listener:
    words = _joined(configuration, listener, "protocol", "port") or "listener"
    for action in blocks(listener.body.get("default_action")):
        for redirect in blocks(action.get("redirect")):
            goal = [configuration.text(listener.stack, redirect.get(key)) for key in ("protocol", "port")]
            words += " redirects to " + (" ".join(filter(None, goal)) or "elsewhere")
    rules = [
        rule
        for rule in configuration.all("aws_lb_listener_rule", "aws_alb_listener_rule")
        if configuration.refers(rule, ("listener_arn",), listener)
    ]
    targets = [
        each
        for source, key in [(listener, "default_action"), *((rule, "action") for rule in rules)]
        for each in configuration.references(source, key)
        if each.type in {"aws_lb_target_group", "aws_alb_target_group"}
    ]
    port = configuration.number(listener.stack, listener.body.get("port")) or 0
    return Listener(words, port, tuple({each.key: each for each in targets}.values()))


def _service(configuration: Configuration, service: Resource) -> Service:
    clusters = configuration.references(service, "cluster")
    cluster = _name(configuration, clusters[0]) if clusters else None
    tasks = _of_type(configuration.references(service, "task_definition"), "aws_ecs_task_definition")
    lines = [_launch(configuration, service)]
    for task in tasks[:1]:
        lines += [_size(configuration, task), *_images(configuration, task)]
    network = [
        each
        for block in blocks(service.body.get("network_configuration"))[:1]
        for key in ("subnets", "security_groups")
        for each in configuration.references_in(service.stack, block.get(key))
    ]
    return Service(
        service,
        _name(configuration, service),
        tuple(filter(None, lines)),
        cluster or configuration.text(service.stack, service.body.get("cluster")) or "default",
        tuple(configuration.references(service, "load_balancer")),
        _of_type(network, "aws_subnet"),
        tuple(sorted({store for task in tasks for store in _reached(configuration, task)})),
        _of_type(network, "aws_security_group"),
    )


def _job(configuration: Configuration, machine: Resource) -> Service | None:
    """Returns the job that a state machine runs, or None if it runs no task of ECS."""
    used = configuration.references(machine, "definition")
    tasks = _of_type(used, "aws_ecs_task_definition")
    if not tasks:
        return None
    times = [
        _joined(configuration, each, "schedule_expression", "schedule_expression_timezone")
        for each in configuration.all("aws_scheduler_schedule")
        if configuration.refers(each, ("target",), machine)
    ]
    lines = ["job", *times, _size(configuration, tasks[0]), *_images(configuration, tasks[0])]
    clusters = [_name(configuration, each) for each in _of_type(used, "aws_ecs_cluster")]
    return Service(
        machine,
        _name(configuration, machine),
        tuple(filter(None, lines)),
        next(iter(clusters), "default"),
        (),
        _of_type(used, "aws_subnet"),
        tuple(sorted({store for task in tasks for store in _reached(configuration, task)})),
        _of_type(used, "aws_security_group"),
    )


def _reached(configuration: Configuration, task: Resource) -> Iterator[Store]:
    yield from stores_in(configuration, task.stack, task.body.get("container_definitions"))
    roles = configuration.references(task, "task_role_arn", "execution_role_arn")
    for policy in configuration.all("aws_iam_role_policy"):
        if any(configuration.refers(policy, ("role",), role) for role in roles):
            yield from stores_in(configuration, policy.stack, policy.body.get("policy"))
    for attachment in configuration.all("aws_iam_role_policy_attachment"):
        if any(configuration.refers(attachment, ("role",), role) for role in roles):
            for policy in configuration.references(attachment, "policy_arn"):
                yield from stores_in(configuration, policy.stack, policy.body.get("policy"))


def _of_type(resources: Sequence[Resource], kind: str) -> tuple[Resource, ...]:
    return tuple(each for each in resources if each.type == kind)


def _launch(configuration: Configuration, service: Resource) -> str:
    """Describes how many tasks run on what: "3 to 12 tasks on Fargate"."""
    number = configuration.text(service.stack, service.body.get("desired_count")) or "1"
    for target in configuration.all("aws_appautoscaling_target"):
        if configuration.refers(target, ("resource_id",), service):
            limits = (target.body.get(key) for key in ("min_capacity", "max_capacity"))
            texts = [configuration.text(target.stack, each) or "?" for each in limits]
            number = " to ".join(dict.fromkeys(texts))
    providers = {
        configuration.text(service.stack, block.get("capacity_provider")) or "?"
        for block in blocks(service.body.get("capacity_provider_strategy"))
        if block.get("weight") != 0 or block.get("base")
    }
    names = sorted(providers) or [configuration.text(service.stack, service.body.get("launch_type")) or ""]
    words = {"FARGATE": "Fargate", "FARGATE_SPOT": "Fargate Spot", "EXTERNAL": "own machines"}
    on = " and ".join(words.get(name, name) for name in names if name)
    return f"{number} {'task' if number == '1' else 'tasks'}" + (f" on {on}" if on else "")


def _size(configuration: Configuration, task: Resource) -> str:
    cpu, memory = (configuration.number(task.stack, task.body.get(key)) for key in ("cpu", "memory"))
    parts = [f"{cpu / 1024:g} vCPU" if cpu else "", f"{memory / 1024:g} GiB" if memory else ""]
    return ", ".join(filter(None, parts))


def _images(configuration: Configuration, task: Resource) -> Iterator[str]:
    for container in blocks(document(task.body.get("container_definitions"))):
        image = configuration.text(task.stack, container.get("image"))
        if image:
            yield f"image {_short_image(image)}"
        else:
            yield from _image_source(configuration, task, container)


def _image_source(
    configuration: Configuration, task: Resource, container: Mapping[str, Any]
) -> Iterator[str]:
    """Yields where an image that is not known before the plan is read from."""
    for source in configuration.references_in(task.stack, container.get("image"))[:1]:
        place = (configuration.text(source.stack, source.body.get(key)) for key in ("path", "name", "bucket"))
        where = next(filter(None, place), source.address)
        yield f"image from {'SSM ' if source.type.startswith('aws_ssm_') else ''}{where}"


def _short_image(image: str) -> str:
    """Returns an image without its registry's host, with a shortened digest."""
    name, at, digest = image.partition("@sha256:")
    host, slash, rest = name.partition("/")
    name = rest if slash and ("." in host or ":" in host or host == "localhost") else name
    return name + (f"@{digest[:8]}" if at else "")


def _name(configuration: Configuration, resource: Resource) -> str:
    text = configuration.text(resource.stack, resource.body.get("name"))
    return text or resource.address.rpartition(".")[2]


def _joined(configuration: Configuration, resource: Resource, *keys: str) -> str:
    texts = (configuration.text(resource.stack, resource.body.get(key)) for key in keys)
    return " ".join(filter(None, texts))


def _first(condition: Any) -> str:
    """Returns the first value of a rule's condition, or an empty string."""
    values = [value for block in blocks(condition) for value in block.get("values") or ()]
    return str(values[0]) if values else ""


def _is_on(configuration: Configuration, alarm: Resource, service: Service) -> bool:
    watched = {service.resource.key, *(target.key for target in service.targets)}
    if watched & {each.key for each in configuration.references(alarm, "dimensions")}:
        return True
    names = (
        configuration.text(alarm.stack, each.get("ServiceName"))
        for each in blocks(alarm.body.get("dimensions"))
    )
    return service.name in names
