"""Routes of gateway endpoints, which moto makes for the route tables an endpoint begins with only.

A route table that is added later gets none, and deleting the endpoint then fails for want of it.
Source of what should happen: Amazon EC2 API Reference, ModifyVpcEndpoint; AWS PrivateLink Guide,
"Gateway endpoints", Routing.
"""

from typing import Any

from moto.ec2.models.vpcs import VPCBackend

_modify = VPCBackend.modify_vpc_endpoint


def route_added_tables() -> None:
    """Mend moto's ModifyVpcEndpoint; call it before the server answers."""
    setattr(VPCBackend, _modify.__name__, modify_vpc_endpoint)


def modify_vpc_endpoint(backend: Any, vpc_id: str, *arguments: Any, **named: Any) -> None:
    """Change an endpoint, and the routes that lead to it; moto calls the endpoint's id `vpc_id`."""
    (endpoint,) = backend.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])
    before = set(endpoint.route_table_ids or ())
    _modify(backend, vpc_id, *arguments, **named)
    after = set(endpoint.route_table_ids or ())
    prefix_list = endpoint.destination_prefix_list_id
    for table in sorted(after - before):
        backend.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefix_list)
    for table in sorted(before - after):
        backend.delete_route(table, prefix_list)
