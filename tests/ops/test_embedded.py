"""The embedded AWS outlives its process, keeps accounts apart, and is never mistaken."""

import io
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ops.core.clients import Credentials, isolated_client
from ops.core.errors import OpsError
from ops.local import processes
from ops.local.embedded import Embedded, find_embedded, start_embedded, stop_embedded, without_aws
from tests.ops.conftest import ACCOUNT, REGION

pytestmark = pytest.mark.e2e

OTHER_ACCOUNT = "222222222222"


def kill(directory: Path) -> None:
    pid = processes.running("embedded", directory)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while processes.running("embedded", directory):
        time.sleep(0.01)


def client(embedded: Embedded, service: str, account_id: str = ACCOUNT) -> Any:
    return embedded.client(service, REGION, account_id)


def build(embedded: Embedded) -> None:
    """Some of everything the platform is made of."""
    ec2 = client(embedded, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    ec2.allocate_address(Domain="vpc")
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    elbv2 = client(embedded, "elbv2")
    elbv2.create_load_balancer(Name="b", Subnets=subnets, SecurityGroups=[group])
    elbv2.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    role = client(embedded, "iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    ecs = client(embedded, "ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="f", taskRoleArn=role, containerDefinitions=[{"name": "web", "image": "i", "memory": 128}]
    )
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="f", desiredCount=1)
    s3 = client(embedded, "s3")
    s3.create_bucket(Bucket="built", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="built", VersioningConfiguration={"Status": "Enabled"})
    for content in (b"first", b"second"):
        s3.put_object(Bucket="built", Key="dir/dev.tfstate", Body=content)
    upload = s3.create_multipart_upload(Bucket="built", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="built", Key="large", UploadId=upload, PartNumber=1, Body=b"x" * 1000)[
        "ETag"
    ]
    s3.complete_multipart_upload(
        Bucket="built",
        Key="large",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
    )
    kms = client(embedded, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    s3.put_object(
        Bucket="built", Key="ciphertext", Body=kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    )
    ssm = client(embedded, "ssm")
    ssm.put_parameter(Name="/a", Value="first", Type="String")
    ssm.put_parameter(Name="/a", Value="second", Type="String", Overwrite=True)
    client(embedded, "ssm", OTHER_ACCOUNT).put_parameter(Name="/a", Value="other", Type="SecureString")
    client(embedded, "secretsmanager").create_secret(Name="secret", SecretString="value")
    ecr = client(embedded, "ecr")
    ecr.create_repository(repositoryName="web")
    media_type = "application/vnd.oci.image.manifest.v1+json"
    ecr.put_image(repositoryName="web", imageManifest=json.dumps({"mediaType": media_type}), imageTag="t")
    dynamodb = client(embedded, "dynamodb")
    dynamodb.create_table(
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    dynamodb.put_item(TableName="items", Item={"pk": {"S": "key"}, "value": {"S": "ä"}})


def see(embedded: Embedded) -> str:
    """All that was built, as the APIs tell it, identifiers and times included."""
    ec2, elbv2, ecs, s3 = (client(embedded, name) for name in ("ec2", "elbv2", "ecs", "s3"))
    kms, ecr = client(embedded, "kms"), client(embedded, "ecr")
    ciphertext = s3.get_object(Bucket="built", Key="ciphertext")["Body"].read()
    seen = [
        ec2.describe_vpcs(),
        ec2.describe_subnets(),
        ec2.describe_addresses(),
        ec2.describe_security_groups(),
        ec2.describe_network_acls(),
        ec2.describe_route_tables(),
        elbv2.describe_load_balancers(),
        elbv2.describe_target_groups(),
        client(embedded, "iam").list_roles(),
        ecs.describe_task_definition(taskDefinition="f"),
        ecs.describe_services(cluster="c", services=["s"]),
        s3.list_object_versions(Bucket="built"),
        s3.get_object(Bucket="built", Key="dir/dev.tfstate")["Body"].read(),
        s3.get_object(Bucket="built", Key="large")["Body"].read(),
        kms.list_keys(),
        kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"],
        client(embedded, "ssm").get_parameter_history(Name="/a"),
        client(embedded, "ssm", OTHER_ACCOUNT).get_parameter_history(Name="/a"),
        client(embedded, "secretsmanager").list_secrets(),
        client(embedded, "secretsmanager").get_secret_value(SecretId="secret"),
        ecr.describe_repositories(),
        ecr.describe_images(repositoryName="web"),
        client(embedded, "dynamodb").describe_table(TableName="items"),
        client(embedded, "dynamodb").get_item(TableName="items", Key={"pk": {"S": "key"}}),
    ]
    for answer in seen:
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata")
    return json.dumps(seen, default=str, indent=1)


def test_everything_is_there_with_the_same_identifiers_and_times_after_kill_9(tmp_path: Path) -> None:
    first = start_embedded(tmp_path, ACCOUNT)
    try:
        build(first)
        before = see(first)
        kill(tmp_path)
        second = start_embedded(tmp_path, ACCOUNT)
        assert see(second) == before
        assert second.endpoint == first.endpoint
        # What comes after a resumption is as lasting as what came before.
        client(second, "ssm").put_parameter(Name="/later", Value="later", Type="String")
        third_before = see(second)
        kill(tmp_path)
        third = start_embedded(tmp_path, ACCOUNT)
        assert see(third) == third_before
        assert client(third, "ssm").get_parameter(Name="/later")["Parameter"]["Value"] == "later"
    finally:
        stop_embedded(tmp_path)
    assert "differently" not in (tmp_path / "logs" / "embedded.log").read_text()


def test_reads_that_no_journal_has_change_no_later_answer(tmp_path: Path) -> None:
    """A replay knows nothing of them, and says the same nevertheless."""
    first = start_embedded(tmp_path, ACCOUNT)
    try:
        iam = client(first, "iam")
        arn = iam.create_role(RoleName="reading", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        reads = {"Effect": "Allow", "Action": ["ssm:Describe*", "dynamodb:List*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
        iam.put_role_policy(RoleName="reading", PolicyName="own", PolicyDocument=policy)
        iam.create_user(UserName="reading")
        key = iam.create_access_key(UserName="reading")["AccessKey"]
        keys = (first.assume(arn), Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
        for credentials in keys:
            ssm, dynamodb = (
                isolated_client(name, REGION, first.endpoint, credentials) for name in ("ssm", "dynamodb")
            )
            for _ in range(2):
                ssm.describe_parameters()
            dynamodb.list_tables()

        def see_use(embedded: Embedded) -> str:
            iam = client(embedded, "iam")
            seen = (
                iam.get_role(RoleName="reading")["Role"],
                iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"],
                iam.list_access_keys(UserName="reading")["AccessKeyMetadata"],
            )
            return json.dumps(seen, default=str, indent=1)

        before = see_use(first)
        kill(tmp_path)
        assert see_use(start_embedded(tmp_path, ACCOUNT)) == before
    finally:
        stop_embedded(tmp_path)
    assert "differently" not in (tmp_path / "logs" / "embedded.log").read_text()


def test_a_line_torn_by_kill_9_does_not_break_the_replay(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    try:
        embedded = start_embedded(tmp_path, ACCOUNT)
        client(embedded, "ssm").put_parameter(Name="/kept", Value="kept", Type="String")
        whole = journal.read_bytes()
        client(embedded, "ssm").put_parameter(Name="/torn", Value="torn", Type="String")
        torn = journal.read_bytes()[:-20]
        kill(tmp_path)
        journal.write_bytes(torn)
        ssm = client(start_embedded(tmp_path, ACCOUNT), "ssm")
        assert journal.read_bytes() == whole
        assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "kept"
        with pytest.raises(ssm.exceptions.ParameterNotFound):
            ssm.get_parameter(Name="/torn")
    finally:
        stop_embedded(tmp_path)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of an embedded AWS that ended after one request."""
    directory = tmp_path_factory.mktemp("written")
    client(start_embedded(directory, ACCOUNT), "ssm").put_parameter(Name="/a", Value="a", Type="String")
    stop_embedded(directory)
    return (directory / "journal.jsonl").read_bytes()


def test_a_damaged_journal_is_told_with_its_line_and_kept(tmp_path: Path, written: bytes) -> None:
    journal = tmp_path / "journal.jsonl"
    first, _, rest = written.partition(b"\n")
    damaged = first + b"\n{damaged\n" + rest
    journal.write_bytes(damaged)
    with pytest.raises(OpsError, match=r"line 2 is damaged.*\n.*embedded\.log\n.*make down"):
        start_embedded(tmp_path, ACCOUNT)
    assert journal.read_bytes() == damaged
    assert processes.running("embedded", tmp_path) is None


def test_a_replay_that_goes_another_way_is_refused(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(written.replace(b'"answer":"200 ', b'"answer":"400 '))
    with pytest.raises(OpsError, match="request 1, PutParameter: answered 200, before 400"):
        start_embedded(tmp_path, ACCOUNT)


def test_another_account_than_the_journals_is_refused(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(written)
    with pytest.raises(OpsError, match=f"was written by .*{ACCOUNT}.*, this is .*{OTHER_ACCOUNT}"):
        start_embedded(tmp_path, OTHER_ACCOUNT)


def test_polling_does_not_grow_the_journal(embedded: Embedded, embedded_directory: Path) -> None:
    ssm = client(embedded, "ssm")
    ssm.put_parameter(Name="/polled", Value="a", Type="String")
    ssm.get_parameter(Name="/polled")
    size = (embedded_directory / "journal.jsonl").stat().st_size
    for _ in range(20):
        ssm.get_parameter(Name="/polled")
    assert (embedded_directory / "journal.jsonl").stat().st_size == size


def test_the_journal_is_for_its_owner_only(embedded_directory: Path) -> None:
    assert (embedded_directory / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_accounts_are_kept_apart(embedded: Embedded) -> None:
    client(embedded, "ssm").put_parameter(Name="/apart", Value="project", Type="String")
    other = client(embedded, "ssm", OTHER_ACCOUNT)
    with pytest.raises(other.exceptions.ParameterNotFound):
        other.get_parameter(Name="/apart")
    for account_id in (ACCOUNT, OTHER_ACCOUNT):
        assert client(embedded, "sts", account_id).get_caller_identity()["Account"] == account_id


def test_a_role_is_assumed_in_its_account(embedded: Embedded) -> None:
    client(embedded, "iam", OTHER_ACCOUNT).create_role(RoleName="task", AssumeRolePolicyDocument="{}")
    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/task"
    credentials = embedded.assume(role)
    assert credentials.session_token
    assert credentials.secret_access_key not in repr(credentials)
    variables = embedded.variables(credentials, REGION)
    assert variables["AWS_SESSION_TOKEN"] == credentials.session_token


def test_keys_of_a_role_act_in_its_account(embedded: Embedded) -> None:
    for account_id in (ACCOUNT, OTHER_ACCOUNT):
        iam = client(embedded, "iam", account_id)
        role = iam.create_role(RoleName="acting", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        sts = isolated_client("sts", REGION, embedded.endpoint, embedded.assume(role))
        identity = sts.get_caller_identity()
        assert identity["Account"] == account_id
        assert ":assumed-role/acting/" in identity["Arn"]


def test_it_listens_on_the_loopback_only(embedded: Embedded) -> None:
    port = int(embedded.endpoint.rpartition(":")[2])
    with socket.socket() as other_address:
        # Would be taken if the server listened on every address.
        other_address.bind(("127.0.0.2", port))


def test_a_registry_is_looked_into_from_another_account(embedded: Embedded) -> None:
    client(embedded, "ecr").create_repository(repositoryName="shared")
    media_type = "application/vnd.oci.image.manifest.v1+json"
    put = client(embedded, "ecr").put_image(
        repositoryName="shared", imageManifest=json.dumps({"mediaType": media_type}), imageTag="t"
    )
    wanted = {"repositoryName": "shared", "imageId": put["image"]["imageId"]}
    other = client(embedded, "ecr", OTHER_ACCOUNT)
    with pytest.raises(other.exceptions.ScanNotFoundException):
        other.describe_image_scan_findings(registryId=ACCOUNT, **wanted)
    ids = [wanted["imageId"]]
    found = other.batch_get_image(registryId=ACCOUNT, repositoryName=wanted["repositoryName"], imageIds=ids)
    assert len(found["images"]) == 1
    with pytest.raises(other.exceptions.RepositoryNotFoundException):
        other.describe_image_scan_findings(**wanted)


def test_a_second_start_finds_the_first(embedded: Embedded, embedded_directory: Path) -> None:
    pid = processes.running("embedded", embedded_directory)
    assert pid is not None
    assert start_embedded(embedded_directory, ACCOUNT) == embedded
    assert processes.running("embedded", embedded_directory) == pid


def test_another_process_with_the_recorded_id_is_not_taken_for_it(
    embedded: Embedded, embedded_directory: Path, tmp_path: Path
) -> None:
    assert find_embedded(embedded_directory) == embedded
    (tmp_path / "embedded.json").write_bytes((embedded_directory / "embedded.json").read_bytes())
    (tmp_path / "embedded.pid").write_text(str(os.getpid()))
    assert find_embedded(tmp_path) is None
    assert stop_embedded(tmp_path) is False


def test_it_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    try:
        first = start_embedded(tmp_path, ACCOUNT)
        client(first, "ssm").put_parameter(Name="/a", Value="a", Type="String")
        stop_embedded(tmp_path)
        with socket.create_server(("127.0.0.1", int(first.endpoint.rpartition(":")[2]))):
            second = start_embedded(tmp_path, ACCOUNT)
        assert second.endpoint != first.endpoint
        assert client(second, "ssm").get_parameter(Name="/a")["Parameter"]["Value"] == "a"
    finally:
        stop_embedded(tmp_path)


def test_a_command_gets_no_setting_of_the_real_aws(embedded: Embedded) -> None:
    base = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "no_proxy": "example.com",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_CA_BUNDLE": "/ca.pem",
        "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/r",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
    }
    assert embedded.environment(ACCOUNT, REGION, base) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "example.com,127.0.0.1,localhost",
        "AWS_ENDPOINT_URL": embedded.endpoint,
        "AWS_ACCESS_KEY_ID": f"AKIA{ACCOUNT}",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert not [name for name in without_aws(base) if name.startswith("AWS_")]


def test_a_client_of_it_reads_nothing_from_the_environment(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[profile real]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:9\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(configuration),
        "AWS_PROFILE": "real",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": str(tmp_path / "missing.pem"),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    assert client(embedded, "sts").get_caller_identity()["Account"] == ACCOUNT
    body = io.BytesIO(b"content")
    s3 = client(embedded, "s3")
    s3.create_bucket(Bucket="env", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="env", Key="key", Body=body)
    assert s3.get_object(Bucket="env", Key="key")["Body"].read() == b"content"
