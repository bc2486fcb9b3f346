"""Limits of an account that moto does not know: Fargate's quotas, and the regions that have to be enabled.

Source of the quotas: AWS General Reference, "Amazon ECS endpoints and quotas", AWS Fargate, whose defaults
these are. An account of the embedded AWS has every region enabled, and uses it without being asked.
"""

from typing import Any, Final

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.servicequotas.models import ServiceQuotasBackend

FARGATE: Final = {
    "L-3032A538": "Fargate On-Demand vCPU resource count",
    "L-36FBB829": "Fargate Spot vCPU resource count",
}
VCPUS: Final = 6.0

_get = ServiceQuotasBackend.get_service_quota


def tell_account_limits() -> None:
    """Mend moto's GetServiceQuota and DescribeRegions; call it before the server answers."""
    setattr(ServiceQuotasBackend, _get.__name__, get_service_quota)
    for region in RegionsAndZonesBackend.regions:
        if region.opt_in_status == "not-opted-in":
            region.opt_in_status = "opted-in"


def get_service_quota(backend: ServiceQuotasBackend, service_code: str, quota_code: str) -> dict[str, Any]:
    """Return a quota, those of Fargate included."""
    if service_code != "fargate" or quota_code not in FARGATE:
        return _get(backend, service_code, quota_code)
    place = f"arn:aws:servicequotas:{backend.region_name}:{backend.account_id}"
    return {
        "ServiceCode": service_code,
        "ServiceName": "AWS Fargate",
        "QuotaArn": f"{place}:{service_code}/{quota_code}",
        "QuotaCode": quota_code,
        "QuotaName": FARGATE[quota_code],
        "Value": VCPUS,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
