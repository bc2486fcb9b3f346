"""Checks a web service: its tasks, their health behind the load balancer, and what it answers over HTTP."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.checks import tasks
from webapp.checks.probe import Answer, ask
from webapp.components import Component, Kind
from webapp.states import Detail, Finding, State, worst

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_ANY_ANSWER: Final = "200-499"

_NOT_ASKED: Final = "It is not asked over HTTP."

_ITSELF: Final = Answer(State.OPERATIONAL, "It shows this page.", None, None)
"""Stands for the answer of the app itself, where it cannot ask."""

_TARGETS_UNKNOWN: Final = Finding(State.UNKNOWN, "The load balancer does not tell how its targets are.")


async def check(clients: "Clients", component: Component, settings: "Settings") -> Finding:
    """Returns the worst of what ECS, the load balancer and a request over HTTP say.

    A service that answers is operational, whether or not AWS tells how it is; one that is scaled to zero is
    not asked. The finding's latency is that of the request. Details: those of the tasks, `targets` and
    `healthy_targets`, and the `http_status` of the answer. Raises `AwsError`.
    """
    import asyncio

    from webapp.calls import AwsError

    url = settings.probe_urls.get(component.id)
    asked = asyncio.create_task(ask(clients.http, url, component.statuses or _ANY_ANSWER)) if url else None
    try:
        try:
            service, found = await tasks.look(clients, component, settings)
        except AwsError:
            answer = await asked if asked else None
            if answer is None or answer.state is not State.OPERATIONAL:
                raise
            return together(Finding(State.OPERATIONAL, "ECS does not tell how its tasks are."), None, answer)
        if service is None or not service["desiredCount"]:
            return found
        targets = await _targets(clients, service)
        itself = _ITSELF if component.id == settings.own_id else None
        return together(found, targets, await asked if asked else itself)
    finally:
        if asked:
            asked.cancel()


async def _targets(clients: "Clients", service: Mapping[str, Any]) -> Finding | None:
    """Returns how the targets of a service are; None if it is behind no load balancer."""
    from webapp.calls import AwsError, call_aws

    groups = [each["targetGroupArn"] for each in service.get("loadBalancers", ()) if "targetGroupArn" in each]
    if not groups:
        return None
    try:
        answer = await call_aws(
            "elasticloadbalancing:DescribeTargetHealth",
            clients.of("elbv2").describe_target_health(TargetGroupArn=groups[0]),
        )
    except AwsError:
        return _TARGETS_UNKNOWN
    return found_in_targets(each["TargetHealth"]["State"] for each in answer["TargetHealthDescriptions"])


def found_in_targets(states: Iterable[str]) -> Finding:
    """Returns the finding for the health of each target.

    A target that is draining is about to go and does not count. While the first ones are new, nothing is
    known of them. Source: Application Load Balancers guide, "Target health status".
    """
    counts = Counter(states)
    registered = counts.total() - counts["draining"]
    healthy, unhealthy = counts["healthy"], counts["unhealthy"]
    details: dict[str, Detail] = {"targets": registered, "healthy_targets": healthy}
    message = f"Targets: {healthy} healthy, {registered} registered."
    if not registered:
        return Finding(State.UNKNOWN, "No target is registered with the load balancer.", details)
    if unhealthy:
        return Finding(State.DEGRADED if healthy else State.DOWN, message, details)
    return Finding(State.OPERATIONAL if healthy else State.UNKNOWN, message, details)


def together(found: Finding, targets: Finding | None, answer: Answer | None) -> Finding:
    """Returns one finding for tasks, targets and an answer; None where there is nothing to say."""
    states, messages, details = [found.state], [found.message], dict(found.details)
    if targets:
        # What answers has targets, whatever is known of them.
        if targets.state is not State.UNKNOWN or answer is None:
            states.append(targets.state)
        messages.append(targets.message)
        details.update(targets.details)
    if answer is None:
        return Finding(worst(states), " ".join([*messages, _NOT_ASKED]), details)
    details["http_status"] = answer.status
    # The answer proves that tasks run, even if ECS has not counted the first one yet.
    if answer.state is State.OPERATIONAL and State.UNKNOWN in states:
        states.remove(State.UNKNOWN)
    return Finding(
        worst([*states, answer.state]),
        " ".join([answer.message, *messages]),
        details,
        latency_ms=answer.latency_ms,
    )


CHECK: Final = Check(
    kind=Kind.WEB,
    clients=("ecs", "elbv2"),
    grants=(
        *tasks.GRANTS,
        Grant("CheckTargets", ("elasticloadbalancing:DescribeTargetHealth",), Resource.TARGETS),
    ),
    run=check,
    missing=tasks.MISSING,
)
