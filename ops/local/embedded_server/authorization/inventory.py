"""What moto holds that permissions depend on: roles, policies of resources, tags.

Nothing is looked up that is not there yet, since moto creates some resources at the first look, with
identifiers that a replay of the journal could not repeat.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import unquote

from moto.backends import get_backend
from moto.iam.models import IAMBackend, Policy, iam_backends
from moto.iam.models import Role as MotoRole
from moto.s3.models import s3_backends
from moto.sns.models import Topic
from moto.sqs.models import Queue
from moto.sts.models import sts_backends

from ops.local.embedded_server.authorization.policies import Role, Statement

_PARTITION: Final = "aws"


class MotoInventory:
    """The state of the moto in this process; see `calls.Inventory`."""

    def __init__(self) -> None:
        self._role_arns: dict[str, str] = {}

    def role(self, access_key: str) -> Role | None:
        """Returns the role that a key was given for, or None if it is not a role's key.

        A role that has been deleted since may do nothing.
        """
        arn = self._role_arns.get(access_key) or self._find_role(access_key)
        if arn is None:
            return None
        self._role_arns[access_key] = arn
        return self.role_of(arn)

    def role_of(self, arn: str) -> Role:
        """Returns a role by its ARN; one that does not exist may do nothing."""
        account_id, name = arn.split(":")[4], arn.rpartition("/")[2]
        iam = iam_backends[account_id][_PARTITION]
        role = _role(iam, name)
        if role is None:
            return Role(account_id, name, ())
        boundary = role.permissions_boundary_arn
        return Role(
            account_id,
            name,
            tuple(_of_role(role)),
            tuple(_managed(iam, boundary)) if boundary else None,
        )

    def policy(self, arn: str) -> Sequence[Statement]:
        """Returns the statements of the policy of a bucket, repository, topic or queue; most have none."""
        service, owner = arn.split(":")[2], self.owner(arn)
        region, name = arn.split(":")[3], arn.split(":", 5)[5]
        text: Any = None
        if service == "s3" and owner:
            text = s3_backends[owner][_PARTITION].buckets[name.partition("/")[0]].policy
        elif service == "ecr" and (backend := _backend("ecr", owner, region)):
            repository = backend.repositories.get(name.removeprefix("repository/"))
            text = repository.policy if repository else None
        elif service == "sns" and (topic := find_topic(arn)):
            text = topic.policy
        elif service == "sqs" and (queue := find_queue(arn)):
            text = queue.policy
        return tuple(statements(text)) if text else ()

    def boundary(self, account_id: str, role: str) -> str | None:
        """Returns the ARN of a role's permissions boundary."""
        iam = _backend("iam", account_id, _PARTITION)
        found = _role(iam, role) if iam else None
        return found.permissions_boundary_arn if found else None

    def owner(self, arn: str) -> str | None:
        """Returns the account that a resource belongs to, or None if nothing says so."""
        if arn.startswith("arn:aws:s3:::"):
            bucket = arn.removeprefix("arn:aws:s3:::").partition("/")[0]
            for account_id, partitions in list(s3_backends.items()):
                if _PARTITION in list(partitions) and bucket in partitions[_PARTITION].buckets:
                    return account_id
            return None
        return arn.split(":")[4] or None

    def sources(self, arn: str) -> Sequence[str]:
        """Returns the ARNs of the queues whose dead-letter queue this is."""
        _, _, _, region, account_id, _ = arn.split(":")
        sqs = _backend("sqs", account_id, region)
        policies = (
            ((each.queue_arn, each.redrive_policy or {}) for each in sqs.queues.values()) if sqs else ()
        )
        return tuple(source for source, policy in policies if policy.get("deadLetterTargetArn") == arn)

    def file_system(self, account_id: str, region: str, mount_target: str) -> str | None:
        """Returns the id of the file system of a mount target."""
        efs = _backend("efs", account_id, region)
        found = efs.mount_targets_by_id.get(mount_target) if efs else None
        return str(found.file_system_id) if found else None

    def tags(self, account_id: str, region: str, identifier: str) -> Mapping[str, str]:
        """Returns the tags of an EC2 resource by its id, or of a certificate, secret, ... by its ARN."""
        if identifier.startswith("arn:aws:acm:"):
            acm = _backend("acm", account_id, region)
            certificate = acm._certificates.get(identifier) if acm else None
            return {key: value or "" for key, value in certificate.tags.items()} if certificate else {}
        if identifier.startswith("arn:aws:secretsmanager:"):
            secrets = _backend("secretsmanager", account_id, region)
            secret = secrets.secrets.get(identifier) if secrets else None
            return {each["Key"]: each["Value"] for each in secret.tags or ()} if secret else {}
        if identifier.startswith("arn:aws:servicediscovery:"):
            cloud_map = _backend("servicediscovery", account_id, region)
            return dict(cloud_map.tagger.get_tag_dict_for_resource(identifier)) if cloud_map else {}
        if identifier.startswith("arn:aws:elasticfilesystem:"):
            efs = _backend("efs", account_id, region)
            end = identifier.rpartition("/")[2]
            return {each["Key"]: each["Value"] for each in efs.list_tags_for_resource(end)} if efs else {}
        ec2 = _backend("ec2", account_id, region)
        return dict(ec2.tags.get(identifier, {})) if ec2 else {}

    def associated(self, account_id: str, region: str, association_id: str) -> Sequence[str]:
        """Returns the ids of the EC2 resources that an association joins."""
        ec2 = _backend("ec2", account_id, region)
        if ec2 is None or "assoc-" not in association_id:
            return ()
        for table in ec2.route_tables.values():
            if association_id in table._associations:
                return table.id, table._associations[association_id]
        for acl in ec2.network_acls.values():
            if association_id in acl._associations:
                # The ACL that a subnet had is not asked for; it is the default one at first.
                return (acl._associations[association_id].subnet_id,)
        return tuple(each.allocation_id for each in ec2.addresses if each.association_id == association_id)

    def _find_role(self, access_key: str) -> str | None:
        for partitions in list(sts_backends.values()):
            for sts in list(partitions.values()):
                if session := sts.get_assumed_role_from_access_key(access_key):
                    return session.role_arn
        return None


def find_queue(arn: str) -> Queue | None:
    """Returns a queue by its ARN."""
    _, _, _, region, account_id, name = arn.split(":")
    sqs = _backend("sqs", account_id, region)
    return sqs.queues.get(name) if sqs else None


def find_topic(arn: str) -> Topic | None:
    """Returns a topic by its ARN."""
    _, _, _, region, account_id, _ = arn.split(":")
    sns = _backend("sns", account_id, region)
    return sns.topics.get(arn) if sns else None


def find_role(arn: str) -> MotoRole | None:
    """Returns a role by its ARN."""
    account_id = arn.split(":")[4] if arn.startswith("arn:aws:iam::") else None
    iam = _backend("iam", account_id, _PARTITION)
    return next((each for each in iam.roles.values() if each.arn == arn), None) if iam else None


def _backend(service: str, account_id: str | None, region: str) -> Any:
    accounts = get_backend(service)  # type: ignore[call-overload]  # typed by literal names
    if account_id not in accounts or region not in list(accounts[account_id]):
        return None
    return accounts[account_id][region]


def _role(iam: IAMBackend, name: str) -> MotoRole | None:
    return next((each for each in iam.roles.values() if each.name == name), None)


def _of_role(role: MotoRole) -> Iterator[Statement]:
    for text in role.policies.values():
        yield from statements(text)
    for policy in role.managed_policies.values():
        yield from statements(_document(policy))


def _managed(iam: IAMBackend, arn: str) -> Sequence[Statement]:
    policy = iam.managed_policies.get(arn)
    return statements(_document(policy)) if policy else ()


def _document(policy: Policy) -> str:
    current = (each for each in policy.versions if each.version_id == policy.default_version_id)
    return str(next(current).document)


@cache
def statements(document: str | bytes) -> Sequence[Statement]:
    """Returns the statements of a policy document; every request of a role asks for the same few."""
    document = document.decode() if isinstance(document, bytes) else document
    found = json.loads(unquote(document) if document.startswith("%") else document).get("Statement", [])
    return found if isinstance(found, list) else [found]
