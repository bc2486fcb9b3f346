"""Alarms on a service, and the topics that they go to."""

from collections import Counter

from review.diagrams.configuration import Configuration, Resource, blocks
from review.diagrams.services import Service
from review.diagrams.stores import Store, store_of


def alarms(configuration: Configuration, service: Service) -> list[tuple[Store, int]]:
    """The topics that alarms on a service, or on its target groups, go to, and how many alarms."""
    found: Counter[Store] = Counter()
    for alarm in configuration.all("aws_cloudwatch_metric_alarm"):
        if _is_on(configuration, alarm, service):
            topics = (
                store_of(configuration, each) for each in configuration.references(alarm, "alarm_actions")
            )
            found.update({topic for topic in topics if topic})
    return sorted(found.items())


def _is_on(configuration: Configuration, alarm: Resource, service: Service) -> bool:
    watched = {service.resource.key, *(target.key for target in service.targets)}
    if watched & {each.key for each in configuration.references(alarm, "dimensions")}:
        return True
    names = (
        configuration.text(alarm.stack, each.get("ServiceName"))
        for each in blocks(alarm.body.get("dimensions"))
    )
    return service.name in names
