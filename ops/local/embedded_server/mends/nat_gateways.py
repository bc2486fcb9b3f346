"""Addresses of NAT gateways, which moto leaves associated with a gateway that is deleted.

On AWS the association ends with the gateway, and Terraform's own request to end it gets an error that it
ignores. Source: Amazon VPC User Guide, "NAT gateways", deleting one disassociates its Elastic IP address.
"""

from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend

_delete = NatGatewayBackend.delete_nat_gateway


def disassociate_addresses() -> None:
    """Mend moto's DeleteNatGateway; call it before the server answers."""
    setattr(NatGatewayBackend, _delete.__name__, delete_nat_gateway)


def delete_nat_gateway(backend: NatGatewayBackend, nat_gateway_id: str) -> NatGateway:
    """Deletes a NAT gateway, after which its address is nobody's."""
    gateway = _delete(backend, nat_gateway_id)
    for address in gateway.ec2_backend.addresses:
        if address.eni is gateway._eni:
            gateway.ec2_backend.disassociate_address(association_id=address.association_id)
    return gateway
