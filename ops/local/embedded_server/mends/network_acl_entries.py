"""ICMP types and codes of network ACL entries, which moto looks for under another name and so loses.

Source of what should happen: Amazon EC2 API Reference, CreateNetworkAclEntry and NetworkAclEntry.
"""

from typing import Any

from moto.ec2.responses._base_response import EC2BaseResponse
from moto.ec2.responses.network_acls import NetworkACLs

_get = EC2BaseResponse._get_param


def keep_icmp_types() -> None:
    """Mend moto's requests about network ACLs; call it before the server answers."""
    setattr(NetworkACLs, _get.__name__, get_parameter)


def get_parameter(response: EC2BaseResponse, name: str, *arguments: Any, **named: Any) -> Any:
    """Return a parameter of a request; moto asks for `Icmp.Type`, and has parsed `IcmpTypeCode.Type`."""
    return _get(response, name.replace("Icmp.", "IcmpTypeCode."), *arguments, **named)
