"""Composite alarms, which moto's CloudWatch lacks but for the rule in its model of an alarm.

Without PutCompositeAlarm, the Terraform provider retries for minutes. Sources: Amazon CloudWatch API
Reference, "PutCompositeAlarm", "DescribeAlarms" and "DeleteAlarms"; the errors as users report them in
hashicorp/terraform-provider-aws#34807 and awsdocs/aws-cloudformation-user-guide#911.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

MOST_CHILDREN: Final = 100
MOST_CHARACTERS: Final = 10_240

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE|\(|\)))"
)

_describe = CloudWatchResponse.describe_alarms
_delete = CloudWatchBackend.delete_alarms

Condition = Callable[[Mapping[str, str]], bool]
"""Whether a rule holds, by the states of alarms."""


def add_composite_alarms() -> None:
    """Mend moto's CloudWatch; call it before the server answers."""
    setattr(CloudWatchResponse, put_composite_alarm.__name__, put_composite_alarm)
    setattr(CloudWatchResponse, _describe.__name__, describe_alarms)
    setattr(CloudWatchBackend, _delete.__name__, delete_alarms)


def put_composite_alarm(response: CloudWatchResponse) -> ActionResult:
    """CloudWatch's PutCompositeAlarm."""
    name, rule = response._get_param("AlarmName"), response._get_param("AlarmRule")
    backend = response.cloudwatch_backend
    watched = children(rule)
    if len(rule) > MOST_CHARACTERS or len(watched) > MOST_CHILDREN:
        raise ValidationError(
            f"An alarm rule has at most {MOST_CHARACTERS} characters and {MOST_CHILDREN} children."
        )
    if missing := [each for each in watched if each not in backend.alarms]:
        raise ValidationError(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not "
            "exist."
        )
    answer = response.put_metric_alarm()
    alarm = backend.alarms[name]
    alarm.state_value = state(alarm, backend)
    return answer


def describe_alarms(response: CloudWatchResponse) -> ActionResult:
    """moto's DescribeAlarms, which answers with composite alarms whether or not they are asked for."""
    kinds = response._get_param("AlarmTypes", []) or ["MetricAlarm"]
    found: Any = _describe(response).result
    return ActionResult(
        {f"{kind}s": found[f"{kind}s"] if kind in kinds else [] for kind in ("MetricAlarm", "CompositeAlarm")}
    )


def delete_alarms(backend: CloudWatchBackend, alarm_names: list[str]) -> None:
    """Deletes alarms, unless a composite alarm that stays watches one of them."""
    composites = [each for each in backend.alarms.values() if each.rule]
    if sum(each.name in alarm_names for each in composites) > 1:
        raise ValidationError("Only one composite alarm can be deleted at a time.")
    kept = {name for each in composites if each.name not in alarm_names for name in children(each.rule or "")}
    if held := [name for name in alarm_names if name in kept]:
        raise ValidationError(
            f"Cannot delete {', '.join(held)} as there are composite alarm(s) depending on "
            f"{'it' if len(held) == 1 else 'them'}."
        )
    _delete(backend, alarm_names)


def state(alarm: Alarm, backend: CloudWatchBackend) -> str:
    """Returns the state that a composite alarm has by its rule."""
    states = {each.name: each.state_value for each in backend.alarms.values()}
    return "ALARM" if _parse(alarm.rule or "")(states) else "OK"


def children(rule: str) -> tuple[str, ...]:
    """Returns the names of the alarms in a rule, each once.

    Raises ValidationError for a rule that CloudWatch would not take.
    """
    _parse(rule)
    return tuple(dict.fromkeys(_name(match) for match in _TOKEN.finditer(rule) if match["state"]))


def _name(match: re.Match[str]) -> str:
    return str(match["quoted"] or match["plain"]).rpartition(":alarm:")[2]


def _tokens(rule: str) -> Iterator[re.Match[str]]:
    position, text = 0, rule.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise ValidationError(f"AlarmRule must not contain '{text[position:]}'.")
        position = match.end()
        yield match


def _parse(rule: str) -> Condition:
    """Returns the condition of a rule; AND binds more than OR."""
    tokens = [*_tokens(rule)]

    def following(*words: str) -> bool:
        if tokens and tokens[0]["word"] in words:
            tokens.pop(0)
            return True
        return False

    def either() -> Condition:
        found = [both()]
        while following("OR"):
            found.append(both())
        return lambda states: any(each(states) for each in found)

    def both() -> Condition:
        found = [one()]
        while following("AND"):
            found.append(one())
        return lambda states: all(each(states) for each in found)

    def one() -> Condition:
        if following("NOT"):
            inner = one()
            return lambda states: not inner(states)
        if following("("):
            inner = either()
            if not following(")"):
                raise ValidationError("AlarmRule must close each parenthesis.")
            return inner
        if following("TRUE"):
            return lambda _: True
        if following("FALSE"):
            return lambda _: False
        if not tokens or not tokens[0]["state"]:
            raise ValidationError("AlarmRule must be an expression of alarm states.")
        match = tokens.pop(0)
        name, wanted = _name(match), match["state"]
        return lambda states: states.get(name) == wanted

    whole = either()
    if tokens:
        raise ValidationError("AlarmRule must be one expression.")
    return whole
