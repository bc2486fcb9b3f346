"""What the settings ask for and only the account can tell: one table of checks, `CHECKS`.

`make doctor` shows the result of each. `make bootstrap`, `make plan` and `make apply` look before they
change anything, at what concerns their stacks. A review says what is found and plans all the same, since what
it reviews may be what the account lacks. A check that may not look is neither passed nor failed.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Final

from ops.core.clients import ambient_client
from ops.core.errors import UsageError
from ops.terraform.account_checks import Check, Client, Look, Remark
from ops.terraform.workspace import OnLine
from stacks import kinds, naming
from stacks.fargate import vcpus
from stacks.kinds import Stack
from stacks.settings import Environment, Platform
from stacks.values import SecretReference
from stacks.workloads import workloads

_QUOTAS: Final = (
    ("L-3032A538", "Fargate On-Demand vCPU resource count"),
    ("L-36FBB829", "Fargate Spot vCPU resource count"),
)
"""Codes and names of Fargate's quotas, in the order of `vcpus`. Source: Service Quotas, AWS Fargate."""

_SUBSCRIPTION_HOURS: Final = 48
"""Hours after which SNS deletes an unconfirmed subscription.

Source: Amazon SNS Developer Guide, "Deleting an Amazon SNS topic and subscription".
"""


def of_stacks(targets: Iterable[Stack]) -> Iterator[tuple[Check, Stack]]:
    """Yields each check of some stacks, with the stack."""
    for target in targets:
        for check in CHECKS:
            if check.kind == target.kind:
                yield check, target


def require(
    platform: Platform, targets: Iterable[Stack], say: OnLine, client: Client = ambient_client
) -> None:
    """Looks at what concerns some stacks, and says what is worth knowing.

    Raises UsageError if the account cannot fulfil the settings.
    """
    remarks = _found(platform, targets, client)
    for remark in remarks:
        if remark.level != "stops":
            say(f"Note: {remark}")
    if stops := [str(remark) for remark in remarks if remark.level == "stops"]:
        raise UsageError(
            "\n".join(("The account cannot do what the settings ask for, so nothing was done:", *stops))
        )


def note(platform: Platform, targets: Iterable[Stack], say: OnLine, client: Client = ambient_client) -> None:
    """Looks at what concerns some stacks, and says everything that is found."""
    for remark in _found(platform, targets, client):
        say(f"Note: {remark}")


def _found(platform: Platform, targets: Iterable[Stack], client: Client) -> list[Remark]:
    looks = list(of_stacks(targets))
    if not looks:
        return []
    shared = _shared(client)
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        found = pool.map(lambda look: look[0].remarks(platform, look[1], shared), looks)
        return [remark for of_check in found for remark in of_check]


def region(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether the account has enabled the region.

    The project's region is asked: one that is not enabled answers nobody.
    Source: Amazon EC2 API Reference, DescribeRegions.
    """
    asked = client("ec2", platform.project.region)
    found = asked.describe_regions(RegionNames=[environment.region], AllRegions=True)["Regions"]
    if any(each["OptInStatus"] == "not-opted-in" for each in found):
        yield Remark(
            "stops",
            f"{_key(platform, environment, 'region')} = {environment.region!r}: account "
            f"{environment.account_id} has not enabled it",
            f"aws account enable-region --region-name {environment.region}",
        )


def zones(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether the account has the zones in the region; not all accounts have the same.

    Source: Amazon EC2 API Reference, DescribeAvailabilityZones.
    """
    region = environment.region
    filters = [
        {"Name": "zone-type", "Values": ["availability-zone"]},
        {"Name": "state", "Values": ["available"]},
    ]
    answer = client("ec2", region).describe_availability_zones(Filters=filters)
    there = sorted(zone["ZoneName"].removeprefix(region) for zone in answer["AvailabilityZones"])
    network = environment.network
    wanted = network.zones
    key = ("existing", "public_subnets") if network.existing else ("availability_zones",)
    if lacking := [zone for zone in wanted if zone not in there]:
        yield Remark(
            "stops",
            f"{_key(platform, environment, 'network', *key)} = {list(wanted)}: account "
            f"{environment.account_id} has no zone {', '.join(lacking)} in {region}",
            f"Use some of {', '.join(there)}.",
        )


def quota(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether Fargate's quotas have room for all services of the account in the region.

    Only the environment's own minimum stops a command, since others may not be deployed.
    """
    here = [
        service
        for each in platform.environments.values()
        if (each.account_id, each.region) == (environment.account_id, environment.region)
        for service in each.services.values()
    ]
    own = [
        vcpus(service, service.scaling.min_capacity)
        for service in environment.services.values()
        if service.kind != "job"
    ]
    # A run of a job is one task.
    at_most = [
        vcpus(service, 1 if service.kind == "job" else service.scaling.max_capacity) for service in here
    ]
    least, most = (tuple(map(sum, zip(*needed, strict=True))) for needed in (own or [(0, 0)], at_most))
    quotas = client("service-quotas", environment.region)
    for (code, name), at_least, up_to in zip(_QUOTAS, least, most, strict=True):
        if not up_to:
            continue
        value = quotas.get_service_quota(ServiceCode="fargate", QuotaCode=code)["Quota"]["Value"]
        if up_to > value:
            account = f"account {environment.account_id} in {environment.region}"
            where = _key(platform, environment, "services", "*", "scaling")
            told = (
                f"min_capacity: its services take at least {at_least:g} vCPUs"
                if at_least > value
                else f"max_capacity: the services of {account} take up to {up_to:g} vCPUs"
            )
            yield Remark(
                "stops" if at_least > value else "warns",
                f"{where}.{told}; the quota {name!r} of {account} is {value:g}",
                f"aws service-quotas request-service-quota-increase --region {environment.region} "
                f"--service-code fargate --quota-code {code} --desired-value {up_to:g}, or fewer tasks",
            )


def hosted_zones(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether the hosted zone of each domain exists and is public."""
    named = {("load_balancer", "hosted_zone"): environment.load_balancer.hosted_zone} | {
        ("services", name, "hosted_zone"): service.hosted_zone
        for name, service in environment.services.items()
    }
    for keys, zone in named.items():
        if zone and not _is_public_zone(client, environment, zone):
            yield Remark(
                "stops",
                f"{_key(platform, environment, *keys)} = {zone!r}: account "
                f"{environment.account_id} has no public hosted zone of that name",
                f"aws route53 create-hosted-zone --name {zone} --caller-reference first (then "
                "its name servers go to the registrar)",
            )


def secrets(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether every secret of every container exists. No value is read, so no key of a JSON secret."""
    for each in workloads(platform.project, environment):
        for container, variable, reference in each.secrets:
            found = _parameter if reference.store == "ssm" else _secret
            if mend := found(client(reference.store, environment.region), reference, environment.region):
                inner = () if container == each.key else ("sidecars", container)
                key = _key(platform, environment, "services", each.key, *inner, "secrets", variable)
                yield Remark(
                    "stops",
                    f"{key} = '{reference.store}:{reference.name}': "
                    f"account {environment.account_id} has no such secret in {environment.region}",
                    mend,
                )


def subscription(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether everybody who is to get alarms has confirmed it."""
    project, alarms = platform.project.name, environment.alarms
    for setting, emails, topic in (
        ("emails", alarms.emails, naming.alarm_topic(project, environment.name)),
        ("on_call", alarms.on_call, naming.on_call_topic(project, environment.name)),
    ):
        key = _key(platform, environment, "alarms", setting)
        if emails:
            yield from _subscriptions(
                environment, client, key, emails, naming.alarm_topic_arn(environment, topic)
            )


def trail(platform: Platform, environment: Environment, client: Client) -> Iterator[Remark]:
    """Looks whether a trail logs management events in the region: by them, services get a new password.

    Sources: AWS Secrets Manager User Guide, "Match AWS Secrets Manager events with Amazon EventBridge"; AWS
    CloudTrail API Reference, DescribeTrails: it lists trails of other regions that log here, too.
    """
    using = sorted(
        {
            f"databases.{use.name}"
            for service in environment.services.values()
            if service.kind != "job"
            for use in service.uses
            if use.kind == "databases"
        }
    )
    if not using:
        return
    cloudtrail = client("cloudtrail", environment.region)
    trails = cloudtrail.describe_trails()["trailList"]
    if not any(
        cloudtrail.get_trail_status(Name=each["TrailARN"])["IsLogging"]
        and _logs_changes(
            client("cloudtrail", each["HomeRegion"]).get_event_selectors(TrailName=each["TrailARN"])
        )
        for each in trails
    ):
        yield Remark(
            "warns",
            f"{_key(platform, environment, 'databases')}: account {environment.account_id} has no CloudTrail "
            f"trail that logs management events in {environment.region}: when RDS changes the password of "
            f"{', '.join(using)}, running tasks keep the old one",
            "Create a trail that logs write management events, or let an existing one log them.",
        )


def _logs_changes(selectors: Mapping[str, Any]) -> bool:
    """Returns whether a trail with these event selectors logs write management events.

    A trail without any logs all management events. Source: AWS CloudTrail User Guide, "Logging management
    events", and API Reference, EventSelector and AdvancedFieldSelector.
    """
    basic, advanced = selectors.get("EventSelectors") or [], selectors.get("AdvancedEventSelectors") or []
    if not basic and not advanced:
        return True
    fields = [{one["Field"]: one.get("Equals", []) for one in each["FieldSelectors"]} for each in advanced]
    return any(
        each.get("IncludeManagementEvents", True) and each.get("ReadWriteType", "All") != "ReadOnly"
        for each in basic
    ) or any(
        "Management" in each.get("eventCategory", []) and each.get("readOnly") != ["true"] for each in fields
    )


def _subscriptions(
    environment: Environment, client: Client, key: str, emails: Sequence[str], arn: str
) -> Iterator[Remark]:
    sns = client("sns", environment.region)
    try:
        pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn))
    except sns.exceptions.NotFoundException:
        return  # the stack is not applied yet
    subscriptions = [each for page in pages for each in page["Subscriptions"]]
    for email in emails:
        found = [each["SubscriptionArn"] for each in subscriptions if each["Endpoint"] == email]
        if not found:
            yield Remark(
                "warns",
                f"{key}: {email} gets no alarms: there is no subscription; SNS deletes one that nobody "
                f"confirms within {_SUBSCRIPTION_HOURS} hours",
                f"make plan ENV={environment.name} STACK=service, make apply, then follow the link in the "
                "e-mail",
            )
        elif not any(each.startswith("arn:") for each in found):
            yield Remark(
                "warns",
                f"{key}: {email} gets no alarms yet: the subscription is not confirmed; SNS deletes it after "
                f"{_SUBSCRIPTION_HOURS} hours",
                "Follow the link in the e-mail from AWS Notifications.",
            )


def _in_environment(look: Callable[[Platform, Environment, Client], Iterator[Remark]]) -> Look:
    """Makes a look at an environment one at its stacks."""

    def of_stack(platform: Platform, target: Stack, client: Client) -> Iterator[Remark]:
        return look(platform, target.environment, client) if target.environment else iter(())

    return of_stack


CHECKS: Final = (
    Check(
        "region",
        kinds.NETWORK,
        ("ec2:DescribeRegions",),
        "the account has enabled it",
        _in_environment(region),
    ),
    Check(
        "zones",
        kinds.NETWORK,
        ("ec2:DescribeAvailabilityZones",),
        "the account has all that the settings name",
        _in_environment(zones),
    ),
    Check(
        "vCPU quota",
        kinds.SERVICE,
        ("servicequotas:GetServiceQuota",),
        "has room for as many tasks as scaling may start",
        _in_environment(quota),
    ),
    Check(
        "hosted zones",
        kinds.SERVICE,
        ("route53:ListHostedZonesByName",),
        "that of each domain exists and is public",
        _in_environment(hosted_zones),
    ),
    Check(
        "secrets",
        kinds.SERVICE,
        ("secretsmanager:DescribeSecret", "ssm:DescribeParameters"),
        "all that the settings name exist",
        _in_environment(secrets),
    ),
    Check(
        "alarm e-mail",
        kinds.SERVICE,
        ("sns:ListSubscriptionsByTopic",),
        "no subscription waits to be confirmed",
        _in_environment(subscription),
    ),
    Check(
        "CloudTrail",
        kinds.SERVICE,
        ("cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"),
        "a trail logs new database passwords, or none is needed",
        _in_environment(trail),
    ),
)
"""Every check, each before the first change to a stack of its kind."""


def _shared(client: Client) -> Client:
    """Creates each client once: to read its model takes longer than most requests, and all of a processor."""
    create, lock = functools.cache(client), Lock()

    def of_service(service: str, region: str) -> Any:
        with lock:
            return create(service, region)

    return of_service


def _key(platform: Platform, environment: Environment, *key: str) -> str:
    return f"environments/{platform.file_of(environment.name, *key)}: {'.'.join(key)}"


def _parameter(ssm: Any, reference: SecretReference, region: str) -> str:
    """Returns the command that creates a parameter, or an empty string if it exists."""
    named = {"Key": "Name", "Option": "Equals", "Values": [reference.name]}
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[named])
    if any(page["Parameters"] for page in pages):
        return ""
    return (
        f"aws ssm put-parameter --region {region} --type SecureString --name {reference.name} "
        '--value "$VALUE", with the value in VALUE'
    )


def _secret(secretsmanager: Any, reference: SecretReference, region: str) -> str:
    """Returns the command that makes a secret usable, or an empty string if it is."""
    try:
        found = secretsmanager.describe_secret(SecretId=reference.name)
    except secretsmanager.exceptions.ResourceNotFoundException:
        return (
            f"aws secretsmanager create-secret --region {region} --name {reference.name} "
            '--secret-string "$VALUE", with the value in VALUE'
        )
    if "DeletedDate" in found:
        return f"aws secretsmanager restore-secret --region {region} --secret-id {reference.name}"
    return ""


def _is_public_zone(client: Client, environment: Environment, name: str) -> bool:
    found = client("route53", environment.region).list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    return any(zone["Name"] == f"{name}." and not zone["Config"]["PrivateZone"] for zone in found)
