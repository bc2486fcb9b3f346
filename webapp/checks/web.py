"""Checks a web service: its tasks, their health behind the load balancer, and what it answers over HTTP."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.checks import tasks
from webapp.checks.probe import Answer, ask
from webapp.components import Component, Kind
from webapp.states import Detail, Finding, State, worst

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.calls import AwsError
    from webapp.settings import Settings

_ANY_ANSWER: Final = "200-499"

_AWS_SECONDS: Final = 3.3
"""Seconds that the calls to AWS may take: less than a check, so that an answer over HTTP counts alone."""

_NO_TASK: Final = "No task is desired."

_NOT_ASKED: Final = "It is not asked over HTTP."

_ITSELF: Final = Answer(State.OPERATIONAL, "It shows this page.", None, None)
"""Stands for the answer of the app itself, where it cannot ask."""

_TASKS_UNKNOWN: Final = Finding(State.UNKNOWN, "ECS does not tell how its tasks are.")
_TARGETS_UNKNOWN: Final = Finding(State.UNKNOWN, "The load balancer does not tell how its targets are.")


async def check(clients: "Clients", component: Component, settings: "Settings") -> Finding:
    """Returns the worst of what ECS, the load balancer and a request over HTTP say.

    What a request says counts whether or not AWS tells how the service is. One without a task is as it
    answers, and down if nothing is asked; one that a schedule leaves without a task is operational and not
    asked. The finding's latency is that of the request. Details: those of the tasks, `targets` and
    `healthy_targets`, and the `http_status` of the answer. Raises `AwsError`.
    """
    import asyncio

    from webapp.calls import AwsError, FailureKind, log_failure

    url = settings.probe_urls.get(component.id)
    asked = asyncio.create_task(ask(clients.http, url, component.statuses or _ANY_ANSWER)) if url else None
    until = asyncio.get_running_loop().time() + _AWS_SECONDS
    try:
        try:
            async with asyncio.timeout_at(until):
                service, found = await tasks.look(clients, component, settings)
        except TimeoutError:
            error = log_failure("calls to AWS took too long", "ecs:DescribeServices", FailureKind.TIMEOUT, {})
            return _without_aws(error, await asked if asked else None)
        except AwsError as error:
            return _without_aws(error, await asked if asked else None)
        if service is None:
            return found
        itself = _ITSELF if component.id == settings.own_id else None
        if not service["desiredCount"] and not service["runningCount"]:
            if component.rests or found.state is State.DOWN:
                return found
            return resting(found, await asked if asked else itself)
        targets = await _targets(clients, service, until)
        return together(found, targets, await asked if asked else itself)
    finally:
        if asked:
            asked.cancel()


def _without_aws(error: "AwsError", answer: Answer | None) -> Finding:
    """Returns what an answer says if AWS tells nothing; raises the error if nothing was asked.

    Raises it with the finding if nothing answers either, as the app's own network may be the cause.
    """
    from webapp.calls import AwsError, FailureKind

    if answer is None:
        raise error
    found = replace(together(_TASKS_UNKNOWN, None, answer), failure=error.kind)
    unreachable = error.kind in {FailureKind.TIMEOUT, FailureKind.ENDPOINT_UNREACHABLE}
    if unreachable and answer.state is not State.OPERATIONAL and answer.status is None:
        raise AwsError(error.action, error.kind, found) from error
    return found


def resting(found: Finding, answer: Answer | None) -> Finding:
    """Returns the finding for a service of which no task is desired: what visitors get."""
    if answer is None:
        return Finding(State.DOWN, f"{_NO_TASK} {_NOT_ASKED}", found.details)
    return together(Finding(State.OPERATIONAL, _NO_TASK, found.details), None, answer)


async def _targets(clients: "Clients", service: Mapping[str, Any], until: float) -> Finding | None:
    """Returns how the targets of a service are; None if it is behind no load balancer.

    `until` is when the event loop's time is up.
    """
    import asyncio

    from webapp.calls import AwsError, call_aws

    groups = [each["targetGroupArn"] for each in service.get("loadBalancers", ()) if "targetGroupArn" in each]
    if not groups:
        return None
    try:
        async with asyncio.timeout_at(until):
            answer = await call_aws(
                "elasticloadbalancing:DescribeTargetHealth",
                clients.of("elbv2").describe_target_health(TargetGroupArn=groups[0]),
            )
    except (AwsError, TimeoutError):
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
