"""Private namespaces of Cloud Map, whose hosted zone moto leaves behind when the namespace is deleted.

Source: AWS Cloud Map Developer Guide, "Deleting an AWS Cloud Map namespace": the Route 53 hosted zone that
was created with a private namespace is deleted with it.
"""

from moto.route53.models import route53_backends
from moto.servicediscovery.models import ServiceDiscoveryBackend

from ops.local.embedded_server.patching import patch

_delete = ServiceDiscoveryBackend.delete_namespace


def mend() -> None:
    """Mends moto's DeleteNamespace."""
    patch(ServiceDiscoveryBackend, delete_namespace)


def delete_namespace(backend: ServiceDiscoveryBackend, namespace_id: str) -> str:
    """Deletes a namespace with its hosted zone."""
    properties = backend.get_namespace(namespace_id).dns_properties or {}
    operation = _delete(backend, namespace_id)
    if zone := properties.get("HostedZoneId"):
        route53_backends[backend.account_id][backend.partition].delete_hosted_zone(zone)
    return operation
