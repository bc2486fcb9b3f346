"""File systems on the embedded AWS: what EFS keeps, and what it refuses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION


class Volumes:
    """A file system of an embedded AWS."""

    def __init__(self, embedded: Embedded) -> None:
        self.efs = embedded.client("efs", REGION)
        self.id = self.efs.create_file_system(CreationToken="files", Encrypted=True)["FileSystemId"]

    def access_point(self, path: str = "/shop", name: str = "t", **settings: Any) -> Any:
        """Create an access point for one user, unless the settings say otherwise."""
        owner = {"OwnerUid": 1, "OwnerGid": 1, "Permissions": "0750", **settings}
        return self.efs.create_access_point(
            ClientToken=name,
            FileSystemId=self.id,
            PosixUser={"Uid": 1, "Gid": 1},
            RootDirectory={"Path": path, "CreationInfo": owner},
        )


@pytest.fixture(scope="module")
def volumes(embedded: Embedded) -> Volumes:
    """Volumes of the embedded AWS."""
    return Volumes(embedded)


def test_backups_are_turned_on_and_off(volumes: Volumes) -> None:
    with pytest.raises(ClientError, match="PolicyNotFound"):
        volumes.efs.describe_backup_policy(FileSystemId=volumes.id)
    for status in ("ENABLED", "DISABLED"):
        volumes.efs.put_backup_policy(FileSystemId=volumes.id, BackupPolicy={"Status": status})
        found = volumes.efs.describe_backup_policy(FileSystemId=volumes.id)["BackupPolicy"]
        assert found["Status"] == status
    with pytest.raises(ClientError, match="BadRequest"):
        volumes.efs.put_backup_policy(FileSystemId=volumes.id, BackupPolicy={"Status": "SOMETIMES"})


def test_a_policy_is_set_and_deleted(volumes: Volumes) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:ClientMount"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    volumes.efs.put_file_system_policy(FileSystemId=volumes.id, Policy=policy)
    assert volumes.efs.describe_file_system_policy(FileSystemId=volumes.id)["Policy"] == policy
    for bad in ("{", "{}", json.dumps({"Statement": [{"Effect": "Allow"}]})):
        with pytest.raises(ClientError, match="InvalidPolicyException"):
            volumes.efs.put_file_system_policy(FileSystemId=volumes.id, Policy=bad)
    volumes.efs.delete_file_system_policy(FileSystemId=volumes.id)
    with pytest.raises(ClientError, match="PolicyNotFound"):
        volumes.efs.describe_file_system_policy(FileSystemId=volumes.id)


def test_throughput_changes_in_place(volumes: Volumes) -> None:
    for settings in ({"ThroughputMode": "elastic"}, {"ThroughputMode": "bursting"}):
        found = volumes.efs.update_file_system(FileSystemId=volumes.id, **settings)
        assert found["ThroughputMode"] == settings["ThroughputMode"]
    for settings in ({"ThroughputMode": "provisioned"}, {"ThroughputMode": "fast"}):
        with pytest.raises(ClientError, match="BadRequest"):
            volumes.efs.update_file_system(FileSystemId=volumes.id, **settings)
    with pytest.raises(ClientError, match="BadRequest"):
        volumes.efs.create_file_system(ThroughputMode="elastic", PerformanceMode="maxIO")


@pytest.mark.parametrize(
    "policies",
    [
        [{"TransitionToIA": "AFTER_2_DAYS"}],
        [{"TransitionToIA": "AFTER_7_DAYS", "TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}],
        [{"TransitionToIA": "AFTER_7_DAYS"}, {"TransitionToIA": "AFTER_30_DAYS"}],
    ],
)
def test_a_lifecycle_that_efs_refuses_is_refused(volumes: Volumes, policies: list[dict[str, str]]) -> None:
    with pytest.raises(ClientError, match="BadRequest"):
        volumes.efs.put_lifecycle_configuration(FileSystemId=volumes.id, LifecyclePolicies=policies)


def test_an_access_point_has_a_directory_of_its_own(volumes: Volumes) -> None:
    made = volumes.access_point()
    assert (made["RootDirectory"]["Path"], made["PosixUser"]["Uid"]) == ("/shop", 1)
    with pytest.raises(ClientError, match="AccessPointAlreadyExists"):
        volumes.access_point()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"path": "shop"}, "BadRequest"),
        ({"path": "/a/b/c/d/e"}, "BadRequest"),
        ({"path": "/../shop"}, "BadRequest"),
        ({"path": f"/{'x' * 100}"}, "BadRequest"),
        ({"Permissions": "0999"}, "BadRequest"),
    ],
)
def test_an_access_point_that_efs_refuses_is_refused(
    volumes: Volumes, settings: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        volumes.access_point(name="refused", **settings)
