"""Buckets whose versioning is suspended, which moto takes for ones without versions.

There, a write replaces the version whose id is `null`, a deletion puts a marker in its place, and all other
versions stay until they are deleted by their ids. Terraform suspends the versioning of a bucket before it
deletes the versions and the bucket.
Source: Amazon S3 User Guide, "Working with objects in a versioning-suspended bucket".
"""

from typing import Any, Final

from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend

_NULL: Final = "null"
_SUSPENDED: Final = "Suspended"

_put = S3Backend.put_object
_delete = S3Backend.delete_object


def keep_suspended_versions() -> None:
    """Mend moto's PutObject; call it before the server answers. Deletions come by way of notifications."""
    setattr(S3Backend, _put.__name__, put_object)


def put_object(backend: S3Backend, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> FakeKey:
    """Puts an object; its versions stay while versioning is suspended."""
    bucket = backend.get_bucket(bucket_name)
    kept = _others(bucket.keys.getlist(key_name, [])) if bucket.versioning_status == _SUSPENDED else []
    made = _put(backend, bucket_name, key_name, *arguments, **named)
    if kept:
        bucket.keys.setlist(key_name, [*kept, made])
    return made


def delete_object(
    backend: S3Backend, bucket_name: str, key_name: str, version_id: str | None, bypass: bool
) -> tuple[bool, dict[str, Any]]:
    """Deletes an object or one of its versions, or marks it as deleted."""
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status != _SUSPENDED:
        return _delete(backend, bucket_name, key_name, version_id, bypass)
    bucket.versioning_status = "Enabled"
    try:
        deleted, answered = _delete(backend, bucket_name, key_name, version_id, bypass)
    finally:
        bucket.versioning_status = _SUSPENDED
    if deleted and version_id is None:
        *before, marker = bucket.keys.getlist(key_name)
        marker._version_id = answered["version-id"] = _NULL
        bucket.keys.setlist(key_name, [*_others(before), marker])
    return deleted, answered


def _others(versions: list[FakeKey | FakeDeleteMarker]) -> list[FakeKey | FakeDeleteMarker]:
    return [each for each in versions if str(each.version_id) != _NULL]
