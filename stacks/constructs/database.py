"""A PostgreSQL database of services."""

from collections.abc import Iterator
from typing import Final

from stacks import naming, stores
from stacks.bindings import (
    Construct,
    DataAwsDbInstance,
    DataAwsSecretsmanagerSecret,
    DbInstance,
    DbParameterGroup,
    DbParameterGroupParameter,
    Fn,
    Postcondition,
    SecretsmanagerSecretRotation,
    SecretsmanagerSecretRotationRotationRules,
    TerraformResourceLifecycle,
    Token,
)
from stacks.constructs import log_group
from stacks.constructs.network_connections import NetworkConnections
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.store_group import StoreGroup
from stacks.policies import Statement
from stacks.settings import Environment, Project

LARGE_STORAGE: Final = 400
"""GiB from which gp3 storage of PostgreSQL is striped over several volumes."""

LARGE_IOPS: Final = 12_000
LARGE_THROUGHPUT: Final = 500
"""What such storage has at least; MiB a second. Source: Amazon RDS User Guide, "gp3 storage"."""

LOGS: Final = ["postgresql", "upgrade"]
"""What RDS for PostgreSQL writes to CloudWatch Logs."""


class Database:
    """An RDS instance of `[databases]` in the database tier, encrypted, reached over TLS only.

    RDS makes the password and keeps it in Secrets Manager. Who may connect is a rule of the service stack.
    `stored` is what services use of it, by the keys of `stores`.
    """

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        key: str,
        network: NetworkConnections,
    ) -> None:
        settings, prefix = environment.databases[key], f"database_{key}"
        group = StoreGroup(scope, environment, "database", key, network)
        name = group.name
        parameters = DbParameterGroup(
            scope,
            f"{prefix}_parameters",
            name=f"{name}-postgres{settings.version}",
            description=f"Parameters of {name}",
            family=f"postgres{settings.version}",
            parameter=[DbParameterGroupParameter(name="rds.force_ssl", value="1")],
            # A new major version needs another group while the instance still has this one.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        logs = [
            log_group.LogGroup(scope, f"{prefix}_{log}_log", naming.database_log(name, log), environment)
            for log in LOGS
        ]
        protected, large = environment.protected, settings.storage >= LARGE_STORAGE
        instance = DbInstance(
            scope,
            prefix,
            identifier=name,
            engine="postgres",
            # No release applies this stack, and what waits for a maintenance window would be planned again.
            apply_immediately=True,
            engine_version=settings.version,
            # Terraform asks for it with a major version; RDS takes no other way between two.
            allow_major_version_upgrade=True,
            instance_class=settings.instance,
            allocated_storage=settings.storage,
            max_allocated_storage=settings.max_storage,
            storage_type="gp3",
            # What RDS gives from that size on; without them, growing beyond it asks for what was before.
            iops=LARGE_IOPS if large else None,
            storage_throughput=LARGE_THROUGHPUT if large else None,
            storage_encrypted=True,
            db_name=stores.database_name(key),
            username="postgres",
            manage_master_user_password=True,
            db_subnet_group_name=naming.database_subnet_group(scope.project.name, environment.name),
            vpc_security_group_ids=[group.id],
            parameter_group_name=parameters.name,
            multi_az=settings.multi_zone,
            publicly_accessible=False,
            backup_retention_period=settings.backup_days,
            backup_window=settings.backup_window,
            maintenance_window=settings.maintenance_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not protected,
            performance_insights_enabled=settings.performance_insights,
            enabled_cloudwatch_logs_exports=LOGS,
            deletion_protection=protected
            if settings.deletion_protection is None
            else settings.deletion_protection,
            skip_final_snapshot=not protected,
            # AWS keeps the name for ever, and the group's id is another one with each new database.
            final_snapshot_identifier=f'{name}-final-${{replace({group.id}, "sg-", "")}}'
            if protected
            else None,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
            # RDS would make log groups that keep everything for ever.
            depends_on=[each.resource for each in logs],
        )
        secret = Token.as_string(instance.master_user_secret.get(0).secret_arn)
        # Even where it is as RDS would have it: to destroy this resource ends the rotation.
        SecretsmanagerSecretRotation(
            scope,
            f"{prefix}_rotation",
            secret_id=secret,
            rotate_immediately=False,
            rotation_rules=SecretsmanagerSecretRotationRotationRules(
                automatically_after_days=settings.rotation_days
            ),
        )
        self.stored = {
            stores.stored_key("databases", key, what): value
            for what, value in (
                ("host", instance.address),
                ("port", Token.as_string(instance.port)),
                ("secret", secret),
                ("group", group.id),
            )
        }


def _conditions(environment: Environment, key: str) -> Iterator[Postcondition]:
    place = f"{environment.name}: databases.{key}"
    yield Postcondition(
        # At a desk it listens on a free port of the loopback, where no rule is in force.
        condition=f'${{self.port == {stores.POSTGRESQL} || self.address == "127.0.0.1"}}',
        error_message=f"{place} has to listen on port {stores.POSTGRESQL}, which the rules open.",
    )
    if not environment.databases[key].secret:
        yield Postcondition(
            condition="${length(self.master_user_secret) > 0}",
            error_message=f"{place}: RDS does not manage its password; name the secret that has it: secret.",
        )


class ExistingDatabase:
    """A database that is there already; `stored` is what services use of it.

    Its first security group gets the rules that let services in.
    """

    def __init__(self, scope: Construct, project: Project, environment: Environment, key: str) -> None:
        settings, prefix = environment.databases[key], f"database_{key}"
        found = DataAwsDbInstance(
            scope,
            prefix,
            db_instance_identifier=naming.database_identifier(project.name, environment, key),
            lifecycle=TerraformResourceLifecycle(postcondition=[*_conditions(environment, key)]),
        )
        secret = (
            DataAwsSecretsmanagerSecret(scope, f"{prefix}_secret", name=settings.secret.name).arn
            if settings.secret
            else Token.as_string(found.master_user_secret.get(0).secret_arn)
        )
        self.stored = {
            stores.stored_key("databases", key, what): value
            for what, value in (
                ("host", found.address),
                ("port", Token.as_string(found.port)),
                ("secret", secret),
                ("group", Fn.element(found.vpc_security_groups, 0)),
            )
        }


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for databases.

    Source: Amazon RDS User Guide, "Permissions required for Secrets Manager integration".
    """
    rds, name = f"arn:aws:rds:*:{account_id}", project.name
    return (
        Statement(
            "ChangeDatabases",
            actions=[
                "rds:AddTagsToResource",
                "rds:CreateDBInstance",
                "rds:CreateDBParameterGroup",
                "rds:CreateDBSnapshot",
                "rds:DeleteDBInstance",
                "rds:DeleteDBParameterGroup",
                "rds:ModifyDBInstance",
                "rds:ModifyDBParameterGroup",
                "rds:RebootDBInstance",
                "rds:RemoveTagsFromResource",
                "rds:ResetDBParameterGroup",
            ],
            resources=[
                f"{rds}:db:{name}-*",
                f"{rds}:og:default:*",
                f"{rds}:pg:{name}-*",
                f"{rds}:snapshot:{name}-*",
                f"{rds}:subgrp:{name}-*",
            ],
        ),
        Statement(
            "ChangeDatabaseLogs",
            actions=[
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            resources=[f"arn:aws:logs:*:{account_id}:log-group:{naming.database_log(f'{name}-*', '*')}"],
        ),
        # RDS makes the secret with the rights of whoever makes the database; it chooses the name.
        Statement(
            "ChangeDatabaseSecrets",
            actions=[
                "secretsmanager:CancelRotateSecret",
                "secretsmanager:CreateSecret",
                "secretsmanager:RotateSecret",
                "secretsmanager:TagResource",
            ],
            resources=[f"arn:aws:secretsmanager:*:{account_id}:secret:rds!db-*"],
        ),
        Statement(
            "LookAtKeys",
            actions=["kms:DescribeKey"],
            resources=[f"arn:aws:kms:*:{account_id}:key/*"],
        ),
    )
