"""Registries of other accounts, in which moto finds nothing.

A request that names a registry is about that account's repositories, provided that their policies
let the caller in, which moto does not ask. Source: Amazon ECR User Guide, "Private registry".
"""

from typing import Any

from moto.ecr.models import ECRBackend, Repository, ecr_backends

from ops.local.embedded_server.patching import patch

_get_repository = ECRBackend._get_repository
_batch_get_image = ECRBackend.batch_get_image


def mend() -> None:
    """Has moto look where a request says."""
    patch(ECRBackend, batch_get_image, _get_repository=get_repository)


def get_repository(backend: ECRBackend, name: str, registry_id: str | None = None) -> Repository:
    """A repository of the registry that is named, or of the caller's own."""
    return _get_repository(_owner(backend, registry_id), name, registry_id)


def batch_get_image(
    backend: ECRBackend,
    repository_name: str,
    registry_id: str | None = None,
    image_ids: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Images of the registry that is named, or of the caller's own."""
    return _batch_get_image(_owner(backend, registry_id), repository_name, registry_id, image_ids)


def _owner(backend: ECRBackend, registry_id: str | None) -> ECRBackend:
    return ecr_backends[registry_id][backend.region_name] if registry_id else backend
