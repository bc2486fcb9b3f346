"""The shop's environments from nothing: made once in a test run, for the modules that begin with them.

They are two of three in an account in Tokyo, which has no zone b, for a project with as long a name as may
be. The account has an OIDC provider for GitHub already, which stays. dev has services of every kind, behind
a domain and a web application firewall, with stores of every kind, and is off at night. It alone is up.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.core.checkout import SOURCE
from ops.local.embedded import start_embedded
from ops.local.embedded_server.authorization.policies import Role
from ops.local.up import stop_all
from tests.e2e import snapshot
from tests.e2e.desk import Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import read_role
from tests.ops.github_tokens import trust_github

ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222"
NAME = "oaktreesuite"
REGION = "ap-northeast-1"
BUCKET = f"{NAME}-state-{ACCOUNT}-{REGION}"
STACKS = ("foundation", "dev-network", "dev-data", "dev-service")
SECOND = ("staging-network", "staging-data", "staging-service")
HAS_CACHE_SERVER = bool(shutil.which("valkey-server") or shutil.which("redis-server"))
SERVICES = ("web", "prices", "worker", "cleanup", "status", "quotes")
SHOP = SOURCE / "examples/shop/environments"

QUOTES = """
[services.quotes]
same_image_as = "prices"
port          = 8082
path          = "/prices"
health_path   = "/healthz"
command       = ["node", "server.mjs", "--port", "8082"]
user          = "1000:1000"
uses          = ["caches.sessions", "volumes.media", "tables.visits", "topics.events", "queues.files:read"]

[services.quotes.local]
command           = ["node", "server.mjs", "--host", "127.0.0.1", "--port", "{port}"]
working_directory = "examples/shop/prices"
"""
"""The prices for everybody, by their path; beside that it uses every kind of store that the shop lacks."""

STORES = """
[caches.sessions]
replicas = 1

[volumes.media]
path = "/media"

[tables.visits]
partition_key    = "visitor"
expiry_attribute = "expires"
indexes          = { by-page = { partition_key = "page", sort_key = "at", sort_type = "N" } }

[queues.files]

[queues.in-order]
fifo = true

[[buckets.uploads.notify]]
queue  = "files"
prefix = "orders/"

[[topics.events.subscriptions]]
queue  = "orders"
filter = { kind = ["order"] }
"""

BEHIND_A_DOMAIN = """
[load_balancer]
domain      = "shop.example.com"
hosted_zone = "example.com"
waf         = { rate_limit = 2000 }

[services.status]
domain  = "status.shop.example.com"
secrets = { WRITE_TOKEN_SHA256 = "ssm:/shop/dev/write-token-sha256" }
scaling = { min_capacity = 1, max_capacity = 1 }
"""

STAGING = f"""account_id  = "{ACCOUNT}"
region      = "{REGION}"
owner       = "shop@example.com"
cost_centre = "1000"
network     = {{ cidr = "10.60.0.0/16", availability_zones = ["a", "c"] }}

[services]
worker  = {{ enabled = false }}
cleanup = {{ enabled = false }}
status  = {{ enabled = false }}
web     = {{ enabled = false }}

# Terraform waits for these, and for load balancers.
[databases]
shop = {{ enabled = false }}

[queues]
orders = {{ enabled = false }}

[buckets]
uploads = {{ enabled = false }}
"""


def bring_up(directory: Path) -> None:
    """Bring up dev at a desk, `directory`/desk, as users do; nothing runs there in the end.

    What the account had before, and what `make up` said, is kept beside it.
    """
    desk = Desk(directory / "desk")
    _write_settings(desk.directory / "environments")
    memory = desk.directory / ".oaktree/local"
    try:
        with as_users_have_it():
            trust_github(start_embedded(memory, ACCOUNT).client("iam", REGION))
            before = sorted(inventory(desk.embedded, ACCOUNT, REGION))
            (directory / "before.json").write_text(json.dumps(before))
            done = desk.ops("up", "--env", "dev")
            assert succeeded(done), done.stderr
            (directory / "said").write_text(done.stdout)
    finally:
        stop_all(memory)


def _write_settings(environments: Path) -> None:
    """Write the settings of the shop's environments, none of which is protected."""
    environments.mkdir(parents=True)
    for file in SHOP.iterdir():
        text = file.read_text().replace(OTHER_ACCOUNT, ACCOUNT).replace("eu-central-1", REGION)
        text = text.replace("shop.example.com", "example.com")  # which dev has here
        text = re.sub(r"^protected( +)= true$", r"protected\1= false", text, flags=re.MULTILINE)
        text = text.replace('name        = "shop"', f'name        = "{NAME}"')
        text = text.replace('["a", "b", "c"]', '["a", "c", "d"]')
        (environments / file.name).write_text(
            text.replace('.0.0/16" }', '.0.0/16", availability_zones = ["a", "c"] }')
        )
    own = f'protected = false\naccounts_with_oidc_provider = ["{ACCOUNT}"]\n'
    project, dev = environments / "project.toml", environments / "dev.toml"
    project.write_text(own + project.read_text())
    dev.write_text(dev.read_text().partition("# Without domains")[0] + BEHIND_A_DOMAIN + QUOTES + STORES)
    (environments / "staging.toml").write_text(STAGING)


@contextmanager
def as_users_have_it() -> Iterator[None]:
    """Has Terraform compute the checksum of its provider, which other tests spare it."""
    with pytest.MonkeyPatch.context() as here:
        here.delenv("TF_CLI_CONFIG_FILE", raising=False)
        yield


@contextmanager
def copied(brought_up: Path, directory: Path) -> Iterator[Desk]:
    """Copies the desk; its embedded AWS runs, and nothing does afterwards."""
    desk = Desk(directory)
    try:
        with as_users_have_it():
            snapshot.copy(brought_up / "desk", directory, ACCOUNT)
            yield desk
    finally:
        desk.ops("down")


def deploy_role(desk: Desk) -> Role:
    return read_role(desk.embedded.client("iam", REGION, ACCOUNT), ACCOUNT, f"{NAME}-github-deploy")
