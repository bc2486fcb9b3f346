"""Registries of other accounts, in which moto finds nothing.

A request that names a registry is about that account's repositories, provided that their policies
let the caller in, which moto does not ask. Source: Amazon ECR User Guide, "Private registry".
"""

from moto.ecr.models import ECRBackend, Repository, ecr_backends

_get_repository = ECRBackend._get_repository


def look_into_other_registries() -> None:
    """Have moto look where a request says; call it before the server answers."""
    setattr(ECRBackend, _get_repository.__name__, get_repository)


def get_repository(backend: ECRBackend, name: str, registry_id: str | None = None) -> Repository:
    """A repository of the registry that is named, or of the caller's own."""
    owner = ecr_backends[registry_id][backend.region_name] if registry_id else backend
    return _get_repository(owner, name, registry_id)
