"""Flags changes of services and functions: counts, roles, deployments, scaling."""

from collections.abc import Iterator

from review.flags.numbers import lowered, number
from review.flags.subject import Subject, blocks, hidden
from review.flags.switches import Switch, by_attribute, off, on, switched
from review.model import ABSENT, Action, Concern, Flag, Masked, Tree, is_nothing

SERVICE = frozenset({"aws_ecs_service"})

SWITCHES = by_attribute(
    Switch(
        "deployment_circuit_breaker.enable",
        off,
        "Circuit breaker off",
        "A deployment that fails is no longer stopped of itself.",
        SERVICE,
    ),
    Switch(
        "deployment_circuit_breaker.rollback",
        off,
        "Rollback off",
        "A deployment that fails is no longer rolled back of itself.",
        SERVICE,
    ),
    Switch("alarms.enable", off, "Rollback off", "Alarms no longer stop a deployment.", SERVICE),
    Switch("alarms.rollback", off, "Rollback off", "Alarms no longer roll a deployment back.", SERVICE),
    Switch(
        "enable_execute_command",
        on,
        "Shell access turned on",
        "Whoever may do so can newly run commands inside of the containers.",
        SERVICE,
        when_new=True,
    ),
    Switch(
        "health_check.enabled",
        off,
        "Health check off",
        "Targets get requests no matter whether they answer.",
        frozenset({"aws_lb_target_group", "aws_alb_target_group"}),
    ),
)

STOPPING = {
    "aws_alb": "Requests through the load balancer fail until another one is there.",
    "aws_alb_listener": "Requests through the listener fail until another one is there.",
    "aws_ecs_cluster": "All services of the cluster stop.",
    "aws_ecs_service": "The service's tasks stop.",
    "aws_eks_cluster": "All that runs on the cluster stops.",
    "aws_eip": "The public address is given back, and cannot be had again.",
    "aws_internet_gateway": "The VPC has no way to the internet until another one is there.",
    "aws_lambda_function": "The function cannot be called until another one is there.",
    "aws_lb": "Requests through the load balancer fail until another one is there.",
    "aws_lb_listener": "Requests through the listener fail until another one is there.",
    "aws_nat_gateway": "The private subnets have no way to the internet until another one is there.",
    "aws_route53_record": "The name cannot be resolved until it is there again.",
}
"""Types whose deletion, or replacement with the deletion first, stops what runs."""

ROLES = {
    "aws_ecs_task_definition": ("task_role_arn", "execution_role_arn"),
    "aws_lambda_function": ("role",),
    "aws_ecs_service": ("iam_role",),
}

NUMBERS = {
    "aws_appautoscaling_target": ("max_capacity", "min_capacity"),
    "aws_autoscaling_group": ("max_size", "min_size", "desired_capacity"),
    "aws_ecs_service": ("desired_count", "deployment_minimum_healthy_percent"),
    "aws_ecs_task_definition": ("cpu", "memory"),
    "aws_lambda_function": ("memory_size", "reserved_concurrent_executions"),
}
"""How many, or how much, there is at most or at least."""

CODE = {
    "aws_lambda_function": {
        "image_uri": "The function runs another image.",
        "layers": "The function runs with other layers.",
        "source_code_hash": "The function runs other code.",
    },
    "aws_launch_template": {
        "image_id": "New machines start from another image.",
        "user_data": "New machines run something else when they start.",
    },
}
"""Attributes that decide what runs, and what their change means."""

DOWN_TO_ZERO = frozenset({"desired_count", "desired_capacity", "min_capacity", "min_size"})
"""Numbers that may go down, but not to nothing."""


def services(subject: Subject) -> Iterator[Flag]:
    """Flags changes of services and functions, except containers."""
    yield from switched(subject, SWITCHES, Concern.RUNTIME)
    yield from _stopped(subject)
    if not subject.stays:
        return
    if not subject.is_new:
        for key in ROLES.get(subject.change.type, ()):
            yield from _role(subject, key)
        for key in NUMBERS.get(subject.change.type, ()):
            yield from _number(subject, key)
        yield from _task_definition(subject)
        for key, reason in CODE.get(subject.change.type, {}).items():
            yield from _code(subject, key, reason)
    if subject.change.type == "aws_lambda_function":
        yield from _variables(subject)


def _stopped(subject: Subject) -> Iterator[Flag]:
    change = subject.change
    reason = STOPPING.get(change.type)
    if reason is None or change.deposed is not None:
        return
    if change.action is Action.DELETE:
        yield subject.flag(Concern.RUNTIME, "Deleted while in use", reason, *_name(subject))
    elif change.action is Action.REPLACE and not change.create_before_destroy:
        yield subject.flag(Concern.RUNTIME, "Interrupted by a replacement", reason, *_name(subject))


def _name(subject: Subject) -> tuple[tuple[str, ...], Tree]:
    for key in ("name", "function_name", "public_ip", "id"):
        value = subject.before.get(key)
        if not is_nothing(value):
            return (key,), value
    return (), ABSENT


def _role(subject: Subject, key: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    if before == after or (is_nothing(before) and is_nothing(after)):
        return
    title = "Execution role changed" if key == "execution_role_arn" else "Task role changed"
    if subject.change.type != "aws_ecs_task_definition":
        title = "Role changed"
    if hidden(after):
        yield subject.unknown(title, (key,), before, after)
        return
    reason = "What runs newly has the permissions of another role."
    yield subject.flag(Concern.RUNTIME, title, reason, (key,), before, after)


def _task_definition(subject: Subject) -> Iterator[Flag]:
    """Flags a service that changes to another family of task definitions."""
    if subject.change.type != "aws_ecs_service":
        return
    before, after = (side.get("task_definition", ABSENT) for side in (subject.before, subject.after))
    if before == after or not isinstance(before, str):
        return
    former = _family(before)
    if isinstance(after, str) and _family(after) == former:
        return
    if hidden(after) and former in subject.replaced_families:
        return
    reason = "The service runs another task definition: another image, role or command may come with it."
    yield subject.flag(
        Concern.RUNTIME, "Task definition changed", reason, ("task_definition",), before, after
    )


def _family(task_definition: str) -> str:
    """Returns the family of a task definition from its ARN or name."""
    return task_definition.rpartition("/")[2].partition(":")[0]


def _code(subject: Subject, key: str, reason: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    if before != after and not (is_nothing(before) and is_nothing(after)):
        yield subject.flag(Concern.RUNTIME, "Code changed", reason, (key,), before, after)


def _number(subject: Subject, key: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    former, now = number(before), number(after)
    if former is None or former == 0 or before == after:
        return
    if hidden(after):
        yield subject.unknown("Less of it", (key,), before, after)
    elif now == 0 and key != "deployment_minimum_healthy_percent":
        reason = "Nothing of it is left to run, or nothing has to."
        yield subject.flag(Concern.RUNTIME, "Down to 0", reason, (key,), before, after)
    elif now is not None and now < former and key not in DOWN_TO_ZERO:
        yield lowered(subject, (key,), before, after)


def _variables(subject: Subject) -> Iterator[Flag]:
    """Flags secrets in a function's variables, which everybody who can describe it can read."""
    before, after = _environment(subject.before), _environment(subject.after)
    for name, value in sorted(after.items()):
        if isinstance(value, Masked) and not isinstance(before.get(name), Masked):
            path = ("environment", "variables", name)
            yield plain_secret(subject, path, before.get(name, ABSENT), value)


def _environment(resource: dict[str, Tree]) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for block in blocks(resource.get("environment")):
        variables = block.get("variables")
        if isinstance(variables, dict):
            found |= variables
    return found


def plain_secret(subject: Subject, path: tuple[str, ...], before: Tree, after: Tree) -> Flag:
    """Builds the flag for a secret in a plain variable."""
    reason = "Whoever may describe what runs can read a plain variable, and so the secret."
    return subject.flag(Concern.RUNTIME, "Secret in plain", reason, path, before, after)
