"""What an environment refers to and Terraform does not create: secrets, and the hosted zone of a domain."""

from collections.abc import Iterator
from typing import Any

from stacks.settings import Environment, SecretReference

_VALUE = '"$VALUE"'


def missing(environment: Environment, ssm: Any, secretsmanager: Any, route53: Any) -> Iterator[str]:
    """Yields a line for each resource that does not exist: what it is for, and the command that creates it.

    The clients act in the environment's account and region. No secret's value is read.
    """
    region = environment.region
    for name, service in environment.services.items():
        for variable, reference in sorted(service.secrets.items()):
            if reference.store == "ssm" and not _parameter(ssm, reference):
                yield (
                    f"{variable} of {name}, the SSM parameter {reference.name}: aws ssm put-parameter "
                    f"--region {region} --type SecureString --name {reference.name} --value {_VALUE}"
                )
            if reference.store == "secretsmanager" and (wrong := _secret(secretsmanager, reference, region)):
                yield f"{variable} of {name}, the secret {reference.name}: {wrong}"
        if service.hosted_zone and not _zone(route53, service.hosted_zone):
            yield (
                f"The hosted zone of {name}, {service.hosted_zone}: aws route53 create-hosted-zone --name "
                f"{service.hosted_zone} --caller-reference first (then its name servers go to the registrar)"
            )


def _parameter(ssm: Any, reference: SecretReference) -> bool:
    named = {"Key": "Name", "Option": "Equals", "Values": [reference.name]}
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[named])
    return any(page["Parameters"] for page in pages)


def _secret(secretsmanager: Any, reference: SecretReference, region: str) -> str:
    """Returns the command that makes the secret usable, or an empty string if it is."""
    try:
        found = secretsmanager.describe_secret(SecretId=reference.name)
    except secretsmanager.exceptions.ResourceNotFoundException:
        return (
            f"aws secretsmanager create-secret --region {region} --name {reference.name} "
            f"--secret-string {_VALUE}"
        )
    if "DeletedDate" in found:
        return f"aws secretsmanager restore-secret --region {region} --secret-id {reference.name}"
    return ""


def _zone(route53: Any, name: str) -> bool:
    found = route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    return any(zone["Name"] == f"{name}." and not zone["Config"]["PrivateZone"] for zone in found)
