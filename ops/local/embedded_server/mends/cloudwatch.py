"""Alarms that change their state, of which moto tells nobody, and composite alarms, which it lacks.

Nothing is measured here, so a state changes when somebody sets it. Of composite alarms, moto has the rule in
its model of an alarm; without PutCompositeAlarm, the Terraform provider retries for minutes.
Sources: Amazon CloudWatch API Reference, "SetAlarmState", "PutMetricAlarm" (an update leaves the state as it
is), "PutCompositeAlarm", "DescribeAlarms" and "DeleteAlarms"; CloudWatch User Guide, "Notifying users on
alarm changes"; the message as subscribers get it, in the examples of the AWS Lambda Developer Guide; the
errors about composite alarms as users report them in hashicorp/terraform-provider-aws#34807 and
awsdocs/aws-cloudformation-user-guide#911.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from botocore.session import Session
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from ops.local.embedded_server.patching import patch

_STATE: Final = ("state_reason", "state_reason_data", "state_value", "state_updated_timestamp", "history")
_MOST_CHILDREN: Final = 100
_MOST_CHARACTERS: Final = 10_240
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE|\(|\)))"
)

_put = CloudWatchBackend.put_metric_alarm
_set = CloudWatchBackend.set_alarm_state
_describe = CloudWatchResponse.describe_alarms
_delete = CloudWatchBackend.delete_alarms

Condition = Callable[[Mapping[str, str]], bool]
"""Whether a rule holds, by the states of alarms."""


def mend() -> None:
    """Mends moto's alarms."""
    patch(CloudWatchBackend, put_metric_alarm, set_alarm_state, delete_alarms)
    patch(CloudWatchResponse, put_composite_alarm, describe_alarms)


def put_metric_alarm(backend: CloudWatchBackend, name: str, **settings: Any) -> Alarm:
    """Creates an alarm, or changes one that keeps its state."""
    before = backend.alarms.get(name)
    alarm = _put(backend, name=name, **settings)
    if before:
        vars(alarm).update({key: vars(before)[key] for key in _STATE})
    return alarm


def set_alarm_state(
    backend: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str, state_value: str
) -> None:
    """Sets a state; if it changes, carries out the alarm's actions and updates the alarms that watch it."""
    before = backend.alarms[alarm_name].state_value if alarm_name in backend.alarms else ""
    _set(backend, alarm_name, reason, reason_data, state_value)
    if state_value == before:
        return
    alarm = backend.alarms[alarm_name]
    _carry_out(backend, alarm, before)
    for each in [*backend.alarms.values()]:
        if each.rule and alarm_name in _children(each.rule):
            why = f"{alarm.alarm_arn} transitioned to {state_value} at {_time(utcnow())}"
            set_alarm_state(backend, each.name, why, "{}", _state(each, backend))


def _carry_out(backend: CloudWatchBackend, alarm: Alarm, before: str) -> None:
    """Publishes a change to the topics that the alarm names for its new state."""
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }[alarm.state_value]
    topics = sns_backends[backend.account_id][backend.region_name].topics
    region = _region(backend.region_name)
    for arn in actions if alarm.actions_enabled else ():
        if topic := topics.get(arn):
            message = json.dumps(_message(backend.account_id, region, alarm, before))
            topic.publish(message, subject=f'{alarm.state_value}: "{alarm.name}" in {region}'[:100])


def _message(account_id: str, region: str, alarm: Alarm, before: str) -> Mapping[str, Any]:
    common = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _time(alarm.state_updated_timestamp),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }
    if alarm.rule:
        return {**common, "AlarmRule": alarm.rule}
    trigger: Mapping[str, Any] = {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic",
        "Statistic": (alarm.statistic or "").upper(),
        "Unit": alarm.unit,
        "Dimensions": [{"value": each.value, "name": each.name} for each in alarm.dimensions],
        "Period": alarm.period,
    }
    if alarm.metric_data_queries:
        trigger = {"Metrics": [each.id for each in alarm.metric_data_queries]}
    return {
        **common,
        "Trigger": {
            **trigger,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }


def _time(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='milliseconds')[:23]}+0000"


@cache
def _region(name: str) -> str:
    """Returns the name of a region for people: "Europe (Frankfurt)"."""
    partitions = Session().get_component("data_loader").load_data("endpoints")["partitions"]
    return str(next(each["regions"][name]["description"] for each in partitions if name in each["regions"]))


def put_composite_alarm(response: CloudWatchResponse) -> ActionResult:
    """CloudWatch's PutCompositeAlarm."""
    name, rule = response._get_param("AlarmName"), response._get_param("AlarmRule")
    backend = response.cloudwatch_backend
    watched = _children(rule)
    if len(rule) > _MOST_CHARACTERS or len(watched) > _MOST_CHILDREN:
        raise ValidationError(
            f"An alarm rule has at most {_MOST_CHARACTERS} characters and {_MOST_CHILDREN} children."
        )
    if missing := [each for each in watched if each not in backend.alarms]:
        raise ValidationError(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not "
            "exist."
        )
    answer = response.put_metric_alarm()
    alarm = backend.alarms[name]
    alarm.state_value = _state(alarm, backend)
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
    kept = {
        name for each in composites if each.name not in alarm_names for name in _children(each.rule or "")
    }
    if held := [name for name in alarm_names if name in kept]:
        raise ValidationError(
            f"Cannot delete {', '.join(held)} as there are composite alarm(s) depending on "
            f"{'it' if len(held) == 1 else 'them'}."
        )
    _delete(backend, alarm_names)


def _state(alarm: Alarm, backend: CloudWatchBackend) -> str:
    """Returns the state that a composite alarm has by its rule."""
    states = {each.name: each.state_value for each in backend.alarms.values()}
    return "ALARM" if _parse(alarm.rule or "")(states) else "OK"


def _children(rule: str) -> tuple[str, ...]:
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
