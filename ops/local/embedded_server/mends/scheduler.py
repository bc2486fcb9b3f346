"""Schedules that EventBridge Scheduler refuses, and moto takes.

Sources: EventBridge Scheduler API Reference, "CreateSchedule"; EventBridge Scheduler User Guide, "Schedule
types", "Set up the execution role" and "Configuring a dead-letter queue"; the error about the role as
hashicorp/terraform-provider-aws quotes it in its acceptance tests of `aws_scheduler_schedule`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

from ops.local.embedded_server.authorization.inventory import find_queue
from ops.local.embedded_server.authorization.services import trusts
from ops.local.embedded_server.patching import patch
from stacks import schedules

_NAME: Final = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
_ONCE: Final = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
_LONGEST_EXPRESSION: Final = 256

_create = EventBridgeSchedulerBackend.create_schedule
_update = EventBridgeSchedulerBackend.update_schedule


def mend() -> None:
    """Mends moto's schedules."""
    patch(EventBridgeSchedulerBackend, create_schedule, update_schedule)


def create_schedule(backend: EventBridgeSchedulerBackend, **settings: Any) -> Schedule:
    """Creates a schedule that AWS takes."""
    _check(backend, settings)
    return _create(backend, **settings)


def update_schedule(backend: EventBridgeSchedulerBackend, **settings: Any) -> Schedule:
    """Changes a schedule to one that AWS takes."""
    _check(backend, settings)
    return _update(backend, **settings)


def _check(backend: EventBridgeSchedulerBackend, settings: Mapping[str, Any]) -> None:
    name, expression, target = settings["name"], settings["schedule_expression"], settings["target"]
    if not _NAME.fullmatch(name):
        raise ValidationException(
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$, at most 64 characters"
        )
    if not _is_expression(expression):
        raise ValidationException(f"Invalid Schedule Expression {expression}.")
    zone = settings["schedule_expression_timezone"]
    if zone and zone not in available_timezones():
        raise ValidationException(f"Invalid ScheduleExpressionTimezone {zone}.")
    if not trusts(target["RoleArn"], "scheduler.amazonaws.com"):
        raise ValidationException(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        )
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if queue and not _is_standard_queue(backend, queue):
        raise ValidationException(f"The dead-letter queue {queue} does not exist or is a FIFO queue.")


def _is_expression(text: str) -> bool:
    if _ONCE.fullmatch(text):
        return True
    if len(text) > _LONGEST_EXPRESSION or not text.startswith(("rate(", "cron(")):
        return False
    try:
        schedules.parse(text)
    except ValueError:
        return False
    return True


def _is_standard_queue(backend: EventBridgeSchedulerBackend, arn: str) -> bool:
    queue = find_queue(arn)
    return queue is not None and queue.account_id == backend.account_id and not queue.fifo_queue
