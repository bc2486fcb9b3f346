"""Quotas of Fargate, which moto does not know.

Source: AWS General Reference, "Amazon ECS endpoints and quotas", AWS Fargate, whose defaults these are.
"""

from typing import Any, Final

from moto.servicequotas.models import ServiceQuotasBackend

from ops.local.embedded_server.patching import patch

_FARGATE: Final = {
    "L-3032A538": "Fargate On-Demand vCPU resource count",
    "L-36FBB829": "Fargate Spot vCPU resource count",
}
_VCPUS: Final = 6.0

_get = ServiceQuotasBackend.get_service_quota


def mend() -> None:
    """Mends moto's GetServiceQuota."""
    patch(ServiceQuotasBackend, get_service_quota)


def get_service_quota(backend: ServiceQuotasBackend, service_code: str, quota_code: str) -> dict[str, Any]:
    """Returns a quota, those of Fargate included."""
    if service_code != "fargate" or quota_code not in _FARGATE:
        return _get(backend, service_code, quota_code)
    place = f"arn:aws:servicequotas:{backend.region_name}:{backend.account_id}"
    return {
        "ServiceCode": service_code,
        "ServiceName": "AWS Fargate",
        "QuotaArn": f"{place}:{service_code}/{quota_code}",
        "QuotaCode": quota_code,
        "QuotaName": _FARGATE[quota_code],
        "Value": _VCPUS,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
