"""DB subnet groups, which moto loses when they are modified.

Source of what should happen: Amazon RDS API Reference, ModifyDBSubnetGroup.
"""

from moto.ec2.models.subnets import Subnet
from moto.rds.models import DBSubnetGroup, RDSBackend

_modify = RDSBackend.modify_db_subnet_group


def keep_modified_subnet_groups() -> None:
    """Mend moto's ModifyDBSubnetGroup; call it before the server answers."""
    setattr(RDSBackend, _modify.__name__, modify_db_subnet_group)


def modify_db_subnet_group(
    backend: RDSBackend, subnet_name: str, description: str, subnets: list[Subnet]
) -> DBSubnetGroup:
    """Change a group's description and subnets, and keep it."""
    group = _modify(backend, subnet_name, description, subnets)
    backend.subnet_groups[subnet_name] = group
    return group
