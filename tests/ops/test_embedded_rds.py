"""RDS on the embedded AWS: what it describes, refuses and defers, and the PostgreSQL behind its addresses."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.local import databases as module
from ops.local import processes
from ops.local.database_server.binaries import find_binaries
from ops.local.databases import PREFIX, Databases
from ops.local.embedded import Embedded, start_embedded, stop_embedded
from ops.local.ports import HOST, answers
from ops.local.services import NotRunError
from ops.local.stand_in import StandIn
from ops.local.up import stop_all
from stacks.reading import read_platform
from tests.ops.conftest import ACCOUNT, REGION
from tests.stacks.platform_files import environment, write_platform

pytestmark = pytest.mark.e2e

SHOP = "oaktree-dev-shop"
INSTANCE: dict[str, Any] = {
    "DBInstanceIdentifier": SHOP,
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "EngineVersion": "17",
    "AllocatedStorage": 20,
    "DBName": "shop",
    "MasterUsername": "postgres",
    "ManageMasterUserPassword": True,
}

needs_postgresql = pytest.mark.skipif(find_binaries() is None, reason="no PostgreSQL for this machine")


@pytest.fixture
def rds(embedded: Embedded) -> Iterator[Any]:
    """RDS, from which every instance and group is gone afterwards."""
    client = embedded.client("rds", REGION)
    yield client
    for each in client.describe_db_instances()["DBInstances"]:
        identifier = each["DBInstanceIdentifier"]
        client.modify_db_instance(
            DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True
        )
        client.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)
    for each in client.describe_db_parameter_groups()["DBParameterGroups"]:
        if not each["DBParameterGroupName"].startswith("default."):
            client.delete_db_parameter_group(DBParameterGroupName=each["DBParameterGroupName"])
    for each in client.describe_db_snapshots()["DBSnapshots"]:
        client.delete_db_snapshot(DBSnapshotIdentifier=each["DBSnapshotIdentifier"])


def create(rds: Any, **settings: Any) -> dict[str, Any]:
    made: dict[str, Any] = rds.create_db_instance(**{**INSTANCE, **settings})["DBInstance"]
    return made


def described(rds: Any, identifier: str = SHOP) -> dict[str, Any]:
    (found,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    return dict(found)


def secret_of(embedded: Embedded, instance: dict[str, Any], **version: str) -> dict[str, str]:
    client = embedded.client("secretsmanager", REGION)
    arn = instance["MasterUserSecret"]["SecretArn"]
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=arn, **version)["SecretString"])
    return found


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def group(rds: Any, name: str = "oaktree-dev-shop", family: str = "postgres17") -> str:
    rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d")
    return name


def test_an_instance_is_described_as_rds_fills_it_in(rds: Any) -> None:
    create(rds, EnablePerformanceInsights=True, MaxAllocatedStorage=100, StorageType="gp3", MultiAZ=True)
    found = described(rds)
    assert found["DBInstanceStatus"] == "available"
    assert found["EngineVersion"].startswith("17.")
    assert found["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres17"
    assert found["OptionGroupMemberships"][0]["OptionGroupName"] == "default:postgres-17"
    assert found["LicenseModel"] == "postgresql-license"
    assert found["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert (found["PerformanceInsightsEnabled"], found["PerformanceInsightsRetentionPeriod"]) == (True, 7)
    assert (found["MaxAllocatedStorage"], found["MultiAZ"]) == (100, True)
    assert found["Endpoint"]["Address"] == HOST
    assert found["Endpoint"]["Port"] == found["DbInstancePort"]


def test_a_port_that_was_asked_for_is_kept(rds: Any) -> None:
    assert create(rds, Port=5432)["Endpoint"]["Port"] == 5432


def test_two_instances_share_nothing(embedded: Embedded, rds: Any) -> None:
    first, second = create(rds), create(rds, DBInstanceIdentifier="oaktree-dev-other")
    assert first["DbiResourceId"] != second["DbiResourceId"]
    assert first["Endpoint"]["Port"] != second["Endpoint"]["Port"]
    assert secret_of(embedded, first)["password"] != secret_of(embedded, second)["password"]
    by_id = [{"Name": "dbi-resource-id", "Values": [first["DbiResourceId"]]}]
    assert len(rds.describe_db_instances(Filters=by_id)["DBInstances"]) == 1


def test_rds_keeps_the_password_in_a_secret_that_goes_with_the_instance(embedded: Embedded, rds: Any) -> None:
    instance = create(rds)
    client = embedded.client("secretsmanager", REGION)
    arn = instance["MasterUserSecret"]["SecretArn"]
    found = client.describe_secret(SecretId=arn)
    assert found["Name"].startswith("rds!db-")
    assert (found["OwningService"], found["RotationEnabled"]) == ("rds", True)
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 7}
    content = secret_of(embedded, instance)
    assert content.keys() == {"username", "password"}
    assert content["username"] == "postgres"
    assert len(content["password"]) == 28
    assert not set(content["password"]) & set("/@\"' ")
    rds.delete_db_instance(DBInstanceIdentifier=SHOP, SkipFinalSnapshot=True)
    assert "ResourceNotFoundException" in refusal(lambda: client.get_secret_value(SecretId=arn))


def test_a_rotation_changes_the_password_and_keeps_the_previous_one(embedded: Embedded, rds: Any) -> None:
    instance = create(rds)
    client = embedded.client("secretsmanager", REGION)
    arn = instance["MasterUserSecret"]["SecretArn"]
    before = secret_of(embedded, instance)
    client.rotate_secret(SecretId=arn, RotateImmediately=False, RotationRules={"AutomaticallyAfterDays": 30})
    assert secret_of(embedded, instance) == before
    assert client.describe_secret(SecretId=arn)["RotationRules"] == {"AutomaticallyAfterDays": 30}
    client.rotate_secret(SecretId=arn)
    after = secret_of(embedded, instance)
    assert after["username"] == before["username"]
    assert after["password"] != before["password"]
    assert secret_of(embedded, instance, VersionStage="AWSPREVIOUS") == before
    assert client.describe_secret(SecretId=arn)["OwningService"] == "rds"
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, RotateMasterUserPassword=True, ApplyImmediately=True)
    assert secret_of(embedded, instance)["password"] not in (before["password"], after["password"])
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, ManageMasterUserPassword=True, ApplyImmediately=True)
    assert described(rds)["MasterUserSecret"]["SecretArn"] == arn
    client.cancel_rotate_secret(SecretId=arn)
    assert not client.describe_secret(SecretId=arn)["RotationEnabled"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"EngineVersion": "9.6"}, "InvalidParameterCombination: Cannot find version 9.6 for postgres"),
        ({"EngineVersion": "17.5.1"}, "Cannot find version 17.5.1 for postgres"),
        ({"DBInstanceClass": "db.t4g.enormous"}, "DBInstanceClass=db.t4g.enormous, Engine=postgres"),
        ({"MasterUsername": "admin"}, "MasterUsername admin cannot be used as it is a reserved word"),
        ({"MasterUsername": "2nd"}, "InvalidParameterValue: MasterUsername must begin with a letter"),
        ({"DBName": "a-b"}, "InvalidParameterValue: DBName must begin with a letter"),
        ({"AllocatedStorage": 10}, "Invalid storage size for engine name postgres and storage type gp2: 10"),
        ({"MaxAllocatedStorage": 10}, "Max storage size must be greater than storage size"),
        ({"DBSubnetGroupName": "missing"}, "DBSubnetGroupNotFoundFault"),
        ({"DBParameterGroupName": "missing"}, "DBParameterGroupNotFound"),
        ({"DBParameterGroupName": "old"}, "Use a parameter group with DBParameterGroupFamily postgres17."),
    ],
)
def test_an_instance_that_rds_refuses_is_not_made(rds: Any, settings: dict[str, Any], expected: str) -> None:
    group(rds, "old", "postgres16")
    assert expected in refusal(lambda: create(rds, **settings))
    assert rds.describe_db_instances()["DBInstances"] == []


def test_an_instance_is_deleted_only_if_it_is_said_what_becomes_of_the_data(rds: Any) -> None:
    create(rds, DeletionProtection=True)
    delete = {"DBInstanceIdentifier": SHOP}
    skip, last = {"SkipFinalSnapshot": True}, {"FinalDBSnapshotIdentifier": "last"}
    assert "disable deletion protection" in refusal(lambda: rds.delete_db_instance(**delete, **skip))
    rds.modify_db_instance(**delete, DeletionProtection=False)
    assert "is required unless SkipFinalSnapshot" in refusal(lambda: rds.delete_db_instance(**delete))
    assert "can not be specified" in refusal(lambda: rds.delete_db_instance(**delete, **skip, **last))
    rds.create_db_snapshot(**delete, DBSnapshotIdentifier="last")
    assert refusal(lambda: rds.delete_db_instance(**delete, **last)).startswith("DBSnapshotAlreadyExists")
    rds.delete_db_instance(**delete, FinalDBSnapshotIdentifier="final")
    assert rds.describe_db_snapshots(DBSnapshotIdentifier="final")["DBSnapshots"][0]["Status"] == "available"


def test_a_change_waits_for_the_maintenance_window_unless_it_is_to_be_applied_immediately(rds: Any) -> None:
    create(rds)
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, DBInstanceClass="db.t4g.small", BackupRetentionPeriod=5)
    found = described(rds)
    assert (found["DBInstanceClass"], found["BackupRetentionPeriod"]) == ("db.t4g.micro", 5)
    assert found["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, AllocatedStorage=30, ApplyImmediately=True)
    found = described(rds)
    assert (found["DBInstanceClass"], found["AllocatedStorage"]) == ("db.t4g.small", 30)
    assert not found.get("PendingModifiedValues")


def test_performance_insights_are_switched_off_whole(rds: Any) -> None:
    create(rds, EnablePerformanceInsights=True)
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, EnablePerformanceInsights=False)
    found = described(rds)
    assert not found["PerformanceInsightsEnabled"]
    assert "PerformanceInsightsKMSKeyId" not in found


@pytest.mark.parametrize(
    ("wanted", "settings", "expected"),
    [
        ("17", {}, "17.5"),
        ("17.6", {}, "17.6"),
        ("17.4", {}, "InvalidParameterCombination: Cannot upgrade postgres from 17.5 to 17.4"),
        ("16.9", {}, "InvalidParameterCombination: Cannot upgrade postgres from 17.5 to 16.9"),
        ("18", {}, "InvalidParameterCombination: The AllowMajorVersionUpgrade flag must be present"),
        ("18", {"AllowMajorVersionUpgrade": True}, "InvalidParameterCombination: The parameter group"),
        ("18", {"AllowMajorVersionUpgrade": True, "DBParameterGroupName": "new"}, "18."),
    ],
)
def test_an_upgrade_goes_forward_and_takes_a_group_of_the_new_version(
    rds: Any, wanted: str, settings: dict[str, Any], expected: str
) -> None:
    group(rds, "new", "postgres18")
    create(rds, EngineVersion="17.5", DBParameterGroupName=group(rds))
    change = {"DBInstanceIdentifier": SHOP, "EngineVersion": wanted, "ApplyImmediately": True, **settings}
    if expected.startswith("Invalid"):
        assert refusal(lambda: rds.modify_db_instance(**change)).startswith(expected)
        assert described(rds)["EngineVersion"] == "17.5"
    else:
        rds.modify_db_instance(**change)
        assert described(rds)["EngineVersion"].startswith(expected)


def parameters(rds: Any, name: str) -> dict[str, tuple[str, str]]:
    found = rds.describe_db_parameters(DBParameterGroupName=name, Source="user")["Parameters"]
    return {each["ParameterName"]: (each["ParameterValue"], each["Source"]) for each in found}


def setting(name: str, value: str, method: str = "immediate") -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}


def test_parameters_are_kept_and_reset(rds: Any) -> None:
    name = group(rds)
    given = [
        setting("rds.force_ssl", "0"),
        setting("pg_stat_statements.track", "all"),
        setting("max_connections", "50", "pending-reboot"),
    ]
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=given)
    assert parameters(rds, name) == {
        each["ParameterName"]: (each["ParameterValue"], "user") for each in given
    }
    rds.reset_db_parameter_group(DBParameterGroupName=name, Parameters=given[:1])
    assert parameters(rds, name).keys() == {"pg_stat_statements.track", "max_connections"}
    rds.reset_db_parameter_group(DBParameterGroupName=name, ResetAllParameters=True)
    assert parameters(rds, name) == {}


@needs_postgresql
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            setting("log_min_duration_statment", "1"),
            "Could not find parameter with name: log_min_duration_sta",
        ),
        (
            setting("rds.force_tls", "1"),
            "InvalidParameterValue: Could not find parameter with name: rds.force",
        ),
        (setting("max_connections", "50"), "InvalidParameterCombination: cannot use immediate apply method"),
    ],
)
def test_parameters_that_rds_refuses_are_not_set(rds: Any, given: dict[str, str], expected: str) -> None:
    name = group(rds)
    both = [setting("rds.force_ssl", "1"), given]
    ask = {"DBParameterGroupName": name, "Parameters": both}
    assert expected in refusal(lambda: rds.modify_db_parameter_group(**ask))
    assert parameters(rds, name) == {}


def test_a_db_subnet_group_outlives_its_modification(embedded: Embedded) -> None:
    ec2, rds = embedded.client("ec2", REGION), embedded.client("rds", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24")["Subnet"]["SubnetId"]
        for number in range(3)
    ]
    rds.create_db_subnet_group(
        DBSubnetGroupName="kept", DBSubnetGroupDescription="kept", SubnetIds=subnets[:2]
    )
    rds.modify_db_subnet_group(DBSubnetGroupName="kept", SubnetIds=subnets)
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="kept")["DBSubnetGroups"]
    assert {item["SubnetIdentifier"] for item in group["Subnets"]} == set(subnets)


def test_groups_in_use_cannot_be_deleted(embedded: Embedded, rds: Any) -> None:
    ec2 = embedded.client("ec2", REGION)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
    rds.create_db_subnet_group(DBSubnetGroupName="tier", DBSubnetGroupDescription="d", SubnetIds=subnets)
    name = group(rds)
    create(rds, DBParameterGroupName=name, DBSubnetGroupName="tier")
    assert "InvalidDBParameterGroupState" in refusal(
        lambda: rds.delete_db_parameter_group(DBParameterGroupName=name)
    )
    assert "InvalidDBSubnetGroupStateFault" in refusal(
        lambda: rds.delete_db_subnet_group(DBSubnetGroupName="tier")
    )
    rds.delete_db_instance(DBInstanceIdentifier=SHOP, SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="tier")


def test_a_family_that_does_not_exist_is_refused(rds: Any) -> None:
    assert "postgres99 is not a valid parameter group family" in refusal(
        lambda: group(rds, "a", "postgres99")
    )


def test_a_database_is_restored_as_another_instance(embedded: Embedded, rds: Any) -> None:
    source = create(rds, BackupRetentionPeriod=7, DeletionProtection=True, EnablePerformanceInsights=True)
    rds.create_db_snapshot(DBInstanceIdentifier=SHOP, DBSnapshotIdentifier="before")
    restored = [
        rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="oaktree-dev-snapshot",
            DBSnapshotIdentifier="before",
            ManageMasterUserPassword=True,
        )["DBInstance"],
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=SHOP,
            TargetDBInstanceIdentifier="oaktree-dev-time",
            UseLatestRestorableTime=True,
        )["DBInstance"],
    ]
    assert len({each["DbiResourceId"] for each in (source, *restored)}) == 3
    assert len({each["Endpoint"]["Port"] for each in (source, *restored)}) == 3
    assert [each["DBName"] for each in restored] == ["shop", "shop"]
    assert [each["PerformanceInsightsEnabled"] for each in restored] == [True, True]
    assert [each["DeletionProtection"] for each in restored] == [False, False]
    assert secret_of(embedded, restored[0]) != secret_of(embedded, source)
    # Nobody asked RDS to manage it, so its password is that of the source at that time.
    assert "MasterUserSecret" not in described(rds, "oaktree-dev-time")


@needs_postgresql
def test_a_restored_database_takes_the_place_of_the_other_one(
    embedded: Embedded, rds: Any, databases: Databases
) -> None:
    source = create(rds, BackupRetentionPeriod=7)
    databases.run_all()
    with connect(embedded, source) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'order' AS value")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=SHOP,
        TargetDBInstanceIdentifier=f"{SHOP}-restored",
        UseLatestRestorableTime=True,
    )
    rename = {"DBInstanceIdentifier": f"{SHOP}-restored", "NewDBInstanceIdentifier": SHOP}
    ask = {**rename, "ApplyImmediately": True}
    assert refusal(lambda: rds.modify_db_instance(**ask)).startswith("DBInstanceAlreadyExists")
    rds.modify_db_instance(
        DBInstanceIdentifier=SHOP, NewDBInstanceIdentifier=f"{SHOP}-old", ApplyImmediately=True
    )
    rds.modify_db_instance(**rename)
    assert described(rds, f"{SHOP}-restored")["PendingModifiedValues"] == {"DBInstanceIdentifier": SHOP}
    rds.modify_db_instance(
        DBInstanceIdentifier=f"{SHOP}-restored", ManageMasterUserPassword=True, ApplyImmediately=True
    )
    databases.stop_removed(databases.all())
    databases.run_all()
    with connect(embedded, described(rds)) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert rows(embedded, described(rds, f"{SHOP}-old")) == [("order",)]


def test_without_backups_there_is_no_point_in_time_to_restore_to(rds: Any) -> None:
    create(rds, BackupRetentionPeriod=0)
    restore = {"SourceDBInstanceIdentifier": SHOP, "TargetDBInstanceIdentifier": "b"}
    assert "PointInTimeRestoreNotEnabled" in refusal(
        lambda: rds.restore_db_instance_to_point_in_time(**restore, UseLatestRestorableTime=True)
    )


def test_a_resumed_server_answers_with_the_same_ids_ports_and_passwords(tmp_path: Path) -> None:
    def seen(embedded: Embedded) -> object:
        instances = embedded.client("rds", REGION).describe_db_instances()["DBInstances"]
        for each in instances:
            each.pop("LatestRestorableTime")
        return [(each, secret_of(embedded, each)) for each in instances]

    embedded = start_embedded(tmp_path, ACCOUNT)
    try:
        rds = embedded.client("rds", REGION)
        create(rds)
        rds.delete_db_instance(DBInstanceIdentifier=SHOP, SkipFinalSnapshot=True)
        arn = create(rds)["MasterUserSecret"]["SecretArn"]
        embedded.client("secretsmanager", REGION).rotate_secret(SecretId=arn)
        create(rds, DBInstanceIdentifier="oaktree-dev-other")
        described(rds)
        before = seen(embedded)
        stop_embedded(tmp_path)
        assert seen(start_embedded(tmp_path, ACCOUNT)) == before
    finally:
        stop_embedded(tmp_path)


@pytest.fixture
def databases(embedded: Embedded, rds: Any, tmp_path: Path) -> Iterator[Databases]:
    """The databases of an environment whose checkout runs nothing yet."""
    del rds  # which is emptied afterwards
    text = f"{environment()}[databases.shop]\n"
    platform = read_platform(write_platform(tmp_path / "settings", dev=text))
    checkout = Checkout(tmp_path)
    checkout.local.mkdir(parents=True)
    yield Databases(checkout, embedded, platform.project, platform.environments["dev"])
    stop_all(checkout.local)


def connect(embedded: Embedded, instance: dict[str, Any]) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connects as a service does, with what RDS and the secret say."""
    secret, endpoint = secret_of(embedded, instance), instance["Endpoint"]
    return psycopg.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        dbname=instance["DBName"],
        user=secret["username"],
        password=secret["password"],
        connect_timeout=10,
    )


def rows(embedded: Embedded, instance: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connect(embedded, instance) as connection:
        return connection.execute("SELECT value FROM kept").fetchall()


@needs_postgresql
def test_a_program_connects_to_the_address_with_the_password_and_its_data_lasts(
    embedded: Embedded, rds: Any, databases: Databases
) -> None:
    instance = create(rds)
    create(rds, DBInstanceIdentifier="elsewhere-dev-shop")
    (shop,) = databases.all()
    assert shop.address == f"{HOST}:{instance['Endpoint']['Port']}"
    assert secret_of(embedded, instance)["password"] not in repr(shop)
    assert databases.run(shop) == "started"
    with connect(embedded, instance) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'order' AS value")
    assert databases.run(shop) == "unchanged"

    stop_all(databases.checkout.local)
    databases.run_all()
    assert rows(embedded, instance) == [("order",)]

    embedded.client("secretsmanager", REGION).rotate_secret(
        SecretId=instance["MasterUserSecret"]["SecretArn"]
    )
    databases.run_all()
    assert rows(embedded, instance) == [("order",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=HOST, port=shop.port, user=shop.user, password=shop.password, dbname=shop.name)


def test_a_database_that_is_there_already_is_found_by_its_own_name(
    rds: Any, databases: Databases, tmp_path: Path
) -> None:
    create(rds)
    create(rds, DBInstanceIdentifier="legacy")
    text = f'{environment()}[databases.shop]\nexisting = true\nname = "legacy"\n'
    platform = read_platform(write_platform(tmp_path / "other", dev=text))
    found = replace(databases, environment=platform.environments["dev"])
    named = {found.key(each): each.identifier for each in found.all()}
    assert named["shop"] == "legacy"
    assert [each.identifier for each in databases.all()] == [SHOP]


@needs_postgresql
def test_a_deployment_here_finds_the_databases_running(rds: Any, databases: Databases) -> None:
    create(rds)
    here = StandIn(databases.checkout, databases.embedded, databases.project, databases.environment)
    with pytest.raises(ReleaseFailedError, match="has no service oaktree-dev-web"):
        here.run("web", Phase("app web"))
    assert answers(databases.all()[0].port)


@needs_postgresql
def test_a_database_is_as_its_parameter_group_says(rds: Any, databases: Databases) -> None:
    name = group(rds)
    create(rds, DBParameterGroupName=name)
    assert databases.all()[0].force_ssl
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[setting("rds.force_ssl", "0")])
    assert not databases.all()[0].force_ssl
    create(rds, DBInstanceIdentifier="oaktree-dev-old", EngineVersion="14")
    assert {each.identifier: each.force_ssl for each in databases.all()} == {
        SHOP: False,
        "oaktree-dev-old": False,
    }


@needs_postgresql
def test_an_instance_that_is_made_again_begins_without_data(
    embedded: Embedded, rds: Any, databases: Databases
) -> None:
    local = databases.checkout.local
    create(rds)
    databases.run_all()
    rds.delete_db_instance(DBInstanceIdentifier=SHOP, SkipFinalSnapshot=True)
    again = create(rds)
    databases.stop_removed(databases.all())
    databases.run_all()
    with connect(embedded, again) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert [each.name for each in (local / "databases").iterdir()] == [again["DbiResourceId"]]

    rds.delete_db_instance(DBInstanceIdentifier=SHOP, SkipFinalSnapshot=True)
    databases.stop_removed(databases.all())
    assert processes.running(f"{PREFIX}{again['DbiResourceId']}", local) is None
    assert list((local / "databases").iterdir()) == []


def test_what_cannot_be_run_here_says_why(
    rds: Any, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(rds)
    (shop,) = databases.all()
    monkeypatch.setattr(module, "find_binaries", lambda: None)
    with pytest.raises(NotRunError, match="this machine has no PostgreSQL"):
        databases.run(shop)
    databases.run_all()
    rds.stop_db_instance(DBInstanceIdentifier=SHOP)
    with pytest.raises(NotRunError, match="RDS says that it is stopped"):
        databases.run(databases.all()[0])
    rds.start_db_instance(DBInstanceIdentifier=SHOP)
    rds.modify_db_instance(DBInstanceIdentifier=SHOP, ManageMasterUserPassword=False)
    with pytest.raises(NotRunError, match="RDS does not manage its password"):
        databases.run(databases.all()[0])


@needs_postgresql
def test_a_port_that_another_program_has_is_an_error_that_says_so(rds: Any, databases: Databases) -> None:
    create(rds)
    (shop,) = databases.all()
    with socket.create_server((HOST, shop.port)), pytest.raises(OpsError) as error:
        databases.run(shop)
    assert f"Another program listens on {shop.address}" in str(error.value)
