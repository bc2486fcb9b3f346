"""Caches on the embedded AWS: groups and their members, users, subnets and parameters."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION

PASSWORD = "a-password-of-a-cache"


class Caches:
    """What a cache is made of, in an embedded AWS."""

    def __init__(self, embedded: Embedded) -> None:
        self.client = client = embedded.client("elasticache", REGION)
        ec2 = embedded.client("ec2", REGION)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.0.0.{16 * place}/28", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for place, zone in enumerate("ab")
        ]
        self.group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
        for name, subnets in (("two-zones", self.subnets), ("one-zone", self.subnets[:1])):
            client.create_cache_subnet_group(
                CacheSubnetGroupName=name, CacheSubnetGroupDescription="d", SubnetIds=subnets
            )
        for family in ("valkey7", "valkey8"):
            client.create_cache_parameter_group(
                CacheParameterGroupName=family, CacheParameterGroupFamily=family, Description="d"
            )
        self.user("default", "default")
        client.create_user_group(UserGroupId="users", Engine="valkey", UserIds=["default-user"])

    def user(self, name: str, user_name: str, **settings: Any) -> Any:
        """Create a user with a password."""
        wanted = {"Engine": "valkey", "AccessString": "on ~* +@all", "Passwords": [PASSWORD], **settings}
        return self.client.create_user(UserId=f"{name}-user", UserName=user_name, **wanted)

    def create(self, name: str, **settings: Any) -> dict[str, Any]:
        """Create a replication group with TLS, unless the settings say otherwise."""
        wanted = {
            "ReplicationGroupDescription": "d",
            "Engine": "valkey",
            "EngineVersion": "8.0",
            "CacheNodeType": "cache.t4g.micro",
            "CacheSubnetGroupName": "two-zones",
            "SecurityGroupIds": [self.group],
            "TransitEncryptionEnabled": True,
            "AtRestEncryptionEnabled": True,
            **settings,
        }
        created = self.client.create_replication_group(ReplicationGroupId=name, **wanted)
        return dict(created["ReplicationGroup"])

    def modify(self, name: str, **settings: Any) -> dict[str, Any]:
        """Change a replication group."""
        changed = self.client.modify_replication_group(ReplicationGroupId=name, **settings)
        return dict(changed["ReplicationGroup"])

    def delete(self, name: str, **settings: Any) -> None:
        """Delete a replication group."""
        self.client.delete_replication_group(ReplicationGroupId=name, **settings)

    def members(self, name: str) -> list[dict[str, Any]]:
        """The members of a replication group as clusters."""
        found = self.client.describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        return [each for each in found if each.get("ReplicationGroupId") == name]


@pytest.fixture(scope="module")
def caches(embedded: Embedded) -> Caches:
    """Caches of the embedded AWS."""
    return Caches(embedded)


FAILOVER = {"NumCacheClusters": 2, "AutomaticFailoverEnabled": True}


def test_a_replication_group_has_members_in_the_zones_of_its_subnets(caches: Caches) -> None:
    group = caches.create("sessions", **FAILOVER, MultiAZEnabled=True, UserGroupIds=["users"])
    assert group["MemberClusters"] == ["sessions-001", "sessions-002"]
    (node_group,) = group["NodeGroups"]
    assert node_group["PrimaryEndpoint"]["Address"].startswith("master.sessions.")
    assert node_group["PrimaryEndpoint"]["Address"].endswith(".euc1.cache.amazonaws.com")
    assert node_group["ReaderEndpoint"]["Address"].startswith("replica.sessions.")
    (first,) = caches.client.describe_cache_clusters(CacheClusterId="sessions-001")["CacheClusters"]
    assert (first["Engine"], first["EngineVersion"]) == ("valkey", "8.0.1")
    assert first["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey8"
    assert first["SecurityGroups"] == [{"SecurityGroupId": caches.group, "Status": "active"}]
    assert (first["TransitEncryptionEnabled"], first["AtRestEncryptionEnabled"]) == (True, True)
    zones = [each["PreferredAvailabilityZone"] for each in caches.members("sessions")]
    assert zones == [f"{REGION}a", f"{REGION}b"]
    with pytest.raises(ClientError, match="CacheClusterNotFound"):
        caches.client.describe_cache_clusters(CacheClusterId="sessions-003")
    caches.delete("sessions")
    assert caches.members("sessions") == []
    with pytest.raises(ClientError, match="ReplicationGroupNotFoundFault"):
        caches.client.describe_replication_groups(ReplicationGroupId="sessions")


def test_a_replication_group_changes_in_place(caches: Caches) -> None:
    caches.create("changing")
    for count, increase in ((2, True), (1, True), (1, False), (0, False)):
        act = caches.client.increase_replica_count if increase else caches.client.decrease_replica_count
        settings = {"ReplicationGroupId": "changing", "NewReplicaCount": count, "ApplyImmediately": True}
        if (count, increase) == (1, True):
            with pytest.raises(ClientError, match="has 2 replicas"):
                act(**settings)
        else:
            act(**settings)
            assert len(caches.members("changing")) == count + 1
    with pytest.raises(ClientError, match="fewer than two members"):
        caches.modify("changing", AutomaticFailoverEnabled=True)
    changed = caches.modify(
        "changing",
        CacheNodeType="cache.m7g.large",
        CacheParameterGroupName="valkey8",
        EngineVersion="8.1",
        SnapshotRetentionLimit=7,
        UserGroupIdsToAdd=["users"],
    )
    assert (changed["CacheNodeType"], changed["SnapshotRetentionLimit"]) == ("cache.m7g.large", 7)
    assert changed["UserGroupIds"] == ["users"]
    (member,) = caches.members("changing")
    assert (member["EngineVersion"], member["CacheNodeType"]) == ("8.1.0", "cache.m7g.large")
    with pytest.raises(ClientError, match="InvalidUserGroupState"):
        caches.client.delete_user_group(UserGroupId="users")
    with pytest.raises(ClientError, match="InvalidCacheParameterGroupState"):
        caches.client.delete_cache_parameter_group(CacheParameterGroupName="valkey8")
    with pytest.raises(ClientError, match="CacheSubnetGroupInUse"):
        caches.client.delete_cache_subnet_group(CacheSubnetGroupName="two-zones")
    caches.delete("changing", FinalSnapshotIdentifier="last")
    (snapshot,) = caches.client.describe_snapshots(SnapshotName="last")["Snapshots"]
    assert snapshot["ReplicationGroupId"] == "changing"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"ReplicationGroupId": "two--hyphens"}, "InvalidParameterValue"),
        ({"ReplicationGroupId": "x" * 41}, "InvalidParameterValue"),
        ({"CacheNodeType": "db.t4g.micro"}, "InvalidParameterValue"),
        ({"Engine": "garnet"}, "InvalidParameterValue"),
        ({"EngineVersion": "5.0"}, "InvalidParameterCombination"),
        ({"NumCacheClusters": 7}, "InvalidParameterValue"),
        ({"AutomaticFailoverEnabled": True}, "InvalidParameterCombination"),
        ({"NumCacheClusters": 2, "MultiAZEnabled": True}, "InvalidParameterCombination"),
        ({**FAILOVER, "MultiAZEnabled": True, "CacheSubnetGroupName": "one-zone"}, "InvalidParameterComb"),
        ({"AuthToken": PASSWORD, "TransitEncryptionEnabled": False}, "InvalidParameterCombination"),
        ({"AuthToken": "short"}, "InvalidParameterValue"),
        ({"AuthToken": "x" * 16 + "@"}, "InvalidParameterValue"),
        ({"AuthToken": PASSWORD, "UserGroupIds": ["users"]}, "InvalidParameterCombination"),
        ({"UserGroupIds": ["users"], "TransitEncryptionEnabled": False}, "InvalidParameterCombination"),
        ({"UserGroupIds": ["nobody"]}, "UserGroupNotFound"),
        ({"CacheParameterGroupName": "valkey7"}, "InvalidParameterCombination"),
        ({"CacheParameterGroupName": "nothing"}, "CacheParameterGroupNotFound"),
        ({"CacheSubnetGroupName": "nowhere"}, "CacheSubnetGroupNotFound"),
        ({"SecurityGroupIds": ["sg-0"]}, "InvalidParameterValue"),
    ],
)
def test_a_cache_that_elasticache_refuses_is_refused(
    caches: Caches, settings: dict[str, Any], code: str
) -> None:
    name = settings.pop("ReplicationGroupId", "refused")
    with pytest.raises(ClientError) as caught:
        caches.create(name, **settings)
    assert caught.value.response["Error"]["Code"].startswith(code)


def test_an_auth_token_is_set_and_deleted(caches: Caches) -> None:
    assert caches.create("token", AuthToken=PASSWORD)["AuthTokenEnabled"]
    removed = caches.modify("token", AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["users"])
    assert (removed["AuthTokenEnabled"], removed["UserGroupIds"]) == (False, ["users"])
    caches.delete("token")


def test_parameters_are_set_and_reset(caches: Caches) -> None:
    def values() -> dict[str, str]:
        found = caches.client.describe_cache_parameters(CacheParameterGroupName="valkey8", Source="user")
        return {each["ParameterName"]: each["ParameterValue"] for each in found["Parameters"]}

    def change(name: str, value: str) -> None:
        given = [{"ParameterName": name, "ParameterValue": value}]
        caches.client.modify_cache_parameter_group(
            CacheParameterGroupName="valkey8", ParameterNameValues=given
        )

    change("maxmemory-policy", "allkeys-lru")
    change("timeout", "300")
    assert values() == {"maxmemory-policy": "allkeys-lru", "timeout": "300"}
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        change("maxmemory-policy", "oldest-first")
    caches.client.reset_cache_parameter_group(
        CacheParameterGroupName="valkey8", ParameterNameValues=[{"ParameterName": "timeout"}]
    )
    assert values() == {"maxmemory-policy": "allkeys-lru"}
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        caches.client.create_cache_parameter_group(
            CacheParameterGroupName="x", CacheParameterGroupFamily="valkey6", Description="d"
        )


def test_users_change_and_leave_their_groups(caches: Caches) -> None:
    caches.user("reader", "reader")
    add = {"UserGroupId": "users", "UserIdsToAdd": ["reader-user"]}
    assert caches.client.modify_user_group(**add)["UserIds"] == ["default-user", "reader-user"]
    caches.user("twin", "reader")
    with pytest.raises(ClientError, match="DuplicateUserName"):
        caches.client.modify_user_group(UserGroupId="users", UserIdsToAdd=["twin-user"])
    changed = caches.client.modify_user(
        UserId="reader-user", AccessString="on ~* +@read", Passwords=[PASSWORD, f"{PASSWORD}-2"]
    )
    assert (changed["AccessString"], changed["Authentication"]["PasswordCount"]) == ("on ~* +@read", 2)
    assert changed["UserGroupIds"] == ["users"]
    for passwords in (["short"], [PASSWORD] * 3):
        with pytest.raises(ClientError, match="InvalidParameter"):
            caches.client.modify_user(UserId="reader-user", Passwords=passwords)
    caches.client.delete_user(UserId="reader-user")
    (group,) = caches.client.describe_user_groups(UserGroupId="users")["UserGroups"]
    assert group["UserIds"] == ["default-user"]
    with pytest.raises(ClientError, match="DefaultUserRequired"):
        caches.client.create_user_group(UserGroupId="redis", Engine="redis", UserIds=["twin-user"])


def test_subnets_of_a_group_change(caches: Caches) -> None:
    caches.client.modify_cache_subnet_group(CacheSubnetGroupName="one-zone", SubnetIds=caches.subnets)
    (found,) = caches.client.describe_cache_subnet_groups(CacheSubnetGroupName="one-zone")[
        "CacheSubnetGroups"
    ]
    assert [each["SubnetIdentifier"] for each in found["Subnets"]] == caches.subnets
    with pytest.raises(ClientError, match="InvalidSubnet"):
        caches.client.modify_cache_subnet_group(CacheSubnetGroupName="one-zone", SubnetIds=["subnet-0"])
    caches.client.delete_cache_subnet_group(CacheSubnetGroupName="one-zone")
    with pytest.raises(ClientError, match="CacheSubnetGroupNotFound"):
        caches.client.describe_cache_subnet_groups(CacheSubnetGroupName="one-zone")
