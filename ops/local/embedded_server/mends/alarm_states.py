"""Alarms that change their state, of which moto tells no topic and no composite alarm.

Nothing is measured here, so a state changes when somebody sets it. Sources: Amazon CloudWatch API Reference,
"SetAlarmState", "PutMetricAlarm" (an update leaves the state as it is); CloudWatch User Guide, "Notifying
users on alarm changes"; the message as subscribers get it, in the examples of the AWS Lambda Developer Guide.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from botocore.session import Session
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from ops.local.embedded_server.mends.composite_alarms import children, state

_STATE: Final = ("state_reason", "state_reason_data", "state_value", "state_updated_timestamp", "history")

_set = CloudWatchBackend.set_alarm_state
_put = CloudWatchBackend.put_metric_alarm


def act_on_states() -> None:
    """Mend moto's alarms; call it before the server answers."""
    setattr(CloudWatchBackend, _set.__name__, set_alarm_state)
    setattr(CloudWatchBackend, _put.__name__, put_metric_alarm)


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
        if each.rule and alarm_name in children(each.rule):
            why = f"{alarm.alarm_arn} transitioned to {state_value} at {_time(utcnow())}"
            set_alarm_state(backend, each.name, why, "{}", state(each, backend))


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
