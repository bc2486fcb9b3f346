"""Plan documents as `terraform show -json` writes them, with all that can be in one: for property tests.

Source: Terraform's documentation, "JSON Output Format".
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.review.rendering import HOSTILE

MARK = "zqfreezq"
"""Is in every hostile text, so that a test can look for where such text came out."""

MORE_HOSTILE = (
    *HOSTILE,
    "`````",
    "\n```mermaid\ngraph TD\n",
    "\n```\n",
    "\n`````\n",
    "\n</details>\n\n# Heading\n\n",
    "-->",
    "<!--",
    "GH-1",
    "![image](https://example.com/x.png)",
    "<script>",
    "{{ 7 * 7 }}{% raw %}",
    "~~~\n",
    "\n> quoted\n",
    "\n    indented\n",
    "\n---\n",
    "\n| a | b |\n|---|---|\n| c | d |\n",
    "**Left out**",
    "\u2028",
    "\ufeff",
    "&#64;octocat",
    "x" * 3_000,
    "`" * 300,
    "@octocat #1 " * 200,
)
FILE_NAMES = (
    "dev-service",
    "dev-network",
    "prod-service",
    "foundation",
    f"{MARK}` | @octocat-service",
    f"{MARK}<details><!-- #1-network",
    f"{MARK}\n# x\udcff-service",
)
VERSIONS = ("0.1", "0.2", "1.0", "1.1", "1.2", "1.9")
ACTIONS = (
    ["create"],
    ["update"],
    ["update"],
    ["delete"],
    ["delete", "create"],
    ["create", "delete"],
    ["forget"],
    ["create", "forget"],
    ["read"],
    ["no-op"],
    ["levitate"],
)
SECTIONS = ("nothing", "outputs", "checks", "deferred", "actions", "deferred actions", "drift", "drift")
"""What a plan may have beside changes of resources."""

REASONS = ("replace_because_tainted", "replace_because_cannot_update", "delete_because_no_module")
TYPES = (
    "aws_cloudwatch_log_group",
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ecs_service",
    "aws_ecs_task_definition",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_kms_key",
    "aws_lb_listener",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_vpc_security_group_ingress_rule",
    "null_resource",
)
SECRET_NAMES = ("password", "api_key", "DB_PASSWORD", "clientSecret", "private_key", "connection_string")
SHAPES: tuple[Callable[[str], str], ...] = (
    lambda secret: "AKIA" + secret.upper() + "A" * (16 - len(secret)),
    lambda secret: "ghp_" + secret + "a" * 24,
    lambda secret: f"postgres://app:{secret}@db.internal/app",
    lambda secret: f"PASSWORD={secret}",
    lambda secret: f'{{"db": {{"token": "{secret}", ',
    lambda secret: "\n".join(("-----BEGIN " + "PRIVATE KEY-----", secret, "-----END " + "PRIVATE KEY-----")),
    lambda secret: f"run --password {secret} --verbose",
    lambda secret: f"Authorization: Bearer {secret}",
    lambda secret: f"https://{secret}0123456789@git.internal/x",
)
"""Texts that show by their shape that there is a secret in them."""

hostile_parts = st.sampled_from(MORE_HOSTILE) | st.text(st.characters(exclude_categories=()), max_size=6)


@dataclass(frozen=True, slots=True)
class Made:
    """A document, and what is known of it.

    Nothing in `secrets` may be shown, in upper or in lower case. `relevant_drift` has the addresses of the
    drift that the plan says is relevant.
    """

    document: dict[str, Any]
    secrets: tuple[str, ...]
    relevant_drift: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value with Terraform's two trees beside it."""

    value: Any
    sensitive: Any = False
    unknown: Any = False


class _Maker:
    """Makes the parts of one document and notes the secrets in them."""

    def __init__(self, draw: st.DrawFn, *, secret_addresses: bool) -> None:
        self.draw = draw
        self.secrets: list[str] = []
        self.resources = 0
        self.secret_addresses = secret_addresses

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(0, one_in - 1)) == one_in - 1

    def one(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def secret(self) -> str:
        """A secret that is like no other and like nothing else."""
        self.secrets.append(f"hush{len(self.secrets):04d}hush")
        return self.secrets[-1]

    def shaped(self) -> str:
        """A text of which the shape says that a secret is in it."""
        if self.chance(8):
            text = f"and PASSWORD={self.secret()} in a text that is long enough"
            self.secrets.append(base64.b64encode(text.encode()).decode())
            return self.secrets[-1]
        return str(self.one(*SHAPES)(self.secret()))

    def hostile(self) -> str:
        return f"{self.draw(hostile_parts)}{MARK}{self.draw(hostile_parts)}"

    def text(self) -> str:
        return (
            self.hostile()
            if self.chance(2)
            else str(self.one("a", "", "eu-west-1", "0.0.0.0/0", "10.0.0.0/8"))
        )

    def document_text(self) -> str:
        """What stands in a text that may hold a secret: an error, a check's message."""
        return self.hostile() if not self.chance(4) else f"{self.hostile()} {self.shaped()} {self.hostile()}"

    def scalar(self) -> Any:
        return self.one(None, True, False, 0, 1, 512, -7.5, 1e300, 2**70) if self.chance(3) else self.text()

    def hidden(self, *, keys: bool = True) -> Any:
        """Something with nothing but secrets in it, its keys too unless told otherwise."""
        kind = self.one("text", "text", "number", "list", "object", "json")
        if kind == "number":
            return self._number()
        if kind == "list":
            return [self.secret(), {"x": self.secret()}]
        if kind == "object":
            return {"x": self.secret(), self.secret() if keys else "y": [self.secret()]}
        return json.dumps({"x": self.secret()}) if kind == "json" else self.secret()

    def _number(self) -> int:
        number = 990_000_000_000_000 + len(self.secrets)
        self.secrets.append(str(number))
        return number

    def value(self, depth: int) -> _Value:
        kind = self.one("scalar", "scalar", "object", "list", "sensitive", "unknown", "shaped", "json")
        if kind == "sensitive":
            return _Value(self.hidden(), True, self.one(False, True))
        if kind == "unknown":
            return _Value(None, False, True)
        if kind == "shaped":
            return _Value(self.shaped())
        if kind == "json":
            return _Value(json.dumps(self.settings(), indent=self.one(None, 2)))
        if kind == "object" and depth:
            return self.object(depth)
        if kind == "list" and depth:
            items = [self.value(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
            return _Value(*([part(item) for item in items] for part in _PARTS))
        return _Value(self.scalar())

    def object(self, depth: int) -> _Value:
        items = {}
        for _ in range(self.draw(st.integers(0, 3))):
            if self.chance(3):
                items[self.one(*SECRET_NAMES)] = _Value(self.hidden(keys=False))
            elif self.chance(8):
                items[self.shaped()] = _Value(1)
            else:
                items[self.text()] = self.value(depth - 1)
        return _joined(items)

    def settings(self) -> Any:
        """What may stand in a JSON text, where only names and shapes tell what is sensitive."""
        return {
            self.one(*SECRET_NAMES): self.secret(),
            "plain": self.text(),
            self.hostile(): [self.shaped(), {"name": "API_TOKEN", "value": self.secret()}],
            "within": json.dumps({"password": self.secret(), "url": self.shaped()}),
        }

    def policy(self) -> str:
        statements = [
            {
                "Sid": self.text(),
                "Effect": self.one("Allow", "Deny"),
                "Action": self.one("*", ["s3:GetObject", self.text()], "iam:PassRole", "dynamodb:*"),
                "Resource": self.one("*", "arn:aws:s3:::bucket/*", [self.text()]),
                "Principal": self.one("*", {"AWS": "*"}, {"Service": "ecs.amazonaws.com"}, self.text()),
                "Condition": {"StringEquals": {"aws:SourceVpc": self.text()}},
            }
            for _ in range(self.draw(st.integers(0, 2)))
        ]
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    def containers(self) -> str:
        return json.dumps(
            [
                {
                    "name": name,
                    "image": f"repository/{self.text()}:1",
                    "memory": self.one(256, 512),
                    "command": ["serve", "--password", self.secret(), self.text()],
                    "environment": [
                        {"name": "DB_PASSWORD", "value": self.secret()},
                        {"name": "LEVEL", "value": self.text()},
                        {"name": self.text(), "value": self.shaped()},
                    ][: self.draw(st.integers(0, 3))],
                    "secrets": [
                        {"name": "TOKEN", "valueFrom": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}
                    ][: self.draw(st.integers(0, 1))],
                    "user": self.one("root", "1000", None),
                    "privileged": self.one(True, False),
                }
                for name in ("web", self.text())[: self.draw(st.integers(1, 2))]
            ]
        )

    def attribute(self, name: str) -> _Value:
        match name:
            case "policy" | "assume_role_policy":
                return _Value(None, False, True) if self.chance(6) else _Value(self.policy())
            case "container_definitions":
                hidden = self.chance(6)
                return (
                    _Value(json.dumps([{"name": self.secret()}]), True)
                    if hidden
                    else _Value(self.containers())
                )
            case "ingress":
                rule = {"from_port": 0, "to_port": 65535, "protocol": "-1", "cidr_blocks": [self.text()]}
                return _Value([rule] * self.draw(st.integers(0, 2)), [], [])
            case "tags":
                return self.object(1)
            case "password":
                is_sensitive = self.chance(2)
                return _Value(self.hidden(keys=is_sensitive), is_sensitive)
            case "cidr_ipv4":
                return _Value(self.one("0.0.0.0/0", "10.0.0.0/8", self.text()))
            case "deletion_protection" | "deletion_protection_enabled" | "enable_key_rotation":
                return _Value(None, False, True) if self.chance(6) else _Value(self.one(True, False))
            case "desired_count" | "retention_in_days":
                return _Value(self.one(0, 1, 30, None))
            case _:
                return self.value(2)

    def objects(self) -> tuple[_Value, _Value]:
        """A resource before and after; some of it stays as it is."""
        names = self.draw(
            st.lists(
                st.sampled_from(
                    (
                        "id",
                        "name",
                        "policy",
                        "assume_role_policy",
                        "container_definitions",
                        "ingress",
                        "tags",
                        "password",
                        "cidr_ipv4",
                        "deletion_protection",
                        "deletion_protection_enabled",
                        "enable_key_rotation",
                        "desired_count",
                        "retention_in_days",
                        "settings",
                        "size",
                    )
                ),
                unique=True,
                min_size=1,
                max_size=5,
            )
        )
        before = {name: self.attribute(name) for name in names}
        after = {name: before[name] if self.chance(3) else self.attribute(name) for name in names}
        known = {name: value for name, value in before.items() if not _is_unknown(value.unknown)}
        if self.chance(6):
            hidden = {name: self.hidden() for name in names}
            return _Value(hidden, True), _Value({**hidden, "size": self.secret()}, True)
        return _joined(known), _joined(after)

    def address(self, kind: str) -> str:
        """An address that no other resource has."""
        self.resources += 1
        module = self.one("", "", 'module.m["a"].', f"module.m[{json.dumps(self.hostile())}].")
        index = self.one("", "[0]", f'["{self.hostile()}"]')
        if self.secret_addresses and self.chance(8):
            index = f'["{self.shaped()}"]'
        return f"{module}{kind}.r{self.resources}{index}"

    def resource(self, actions: list[str] | None = None) -> dict[str, Any]:
        kind = self.one(*TYPES)
        actions = self.one(*ACTIONS) if actions is None else actions
        is_data = actions == ["read"]
        address = self.address(f"data.{kind}" if is_data else kind)
        before, after = self.objects()
        if actions in (["create"], ["read"]):
            before = _Value(None, False)
        if actions in (["delete"], ["forget"]):
            after = _Value(None, False)
        if actions == ["no-op"]:
            after = before
        change: dict[str, Any] = {
            "actions": actions,
            "before": before.value,
            "after": after.value,
            "after_unknown": after.unknown or {},
            "before_sensitive": before.sensitive,
            "after_sensitive": after.sensitive,
        }
        item: dict[str, Any] = {
            "address": address,
            "mode": "data" if is_data else "managed",
            "type": kind,
            "name": "r",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": change,
        }
        if actions in (["delete", "create"], ["create", "delete"]):
            change["replace_paths"] = self.one([["name"]], [["tags", self.hostile()], ["ingress", 0]], [])
        if self.chance(4):
            item["action_reason"] = self.one(*REASONS, self.hostile())
        if actions in (["update"], ["no-op"], ["create"]) and self.chance(3):
            change["importing"] = self.one(
                {"id": self.shaped()},
                {"id": self.hostile()},
                {"identity": {"id": self.hostile()}},
                {"unknown": True},
            )
        if not is_data and self.chance(4):
            item["previous_address"] = self.one(address, self.address(kind))
        if actions == ["delete"] and self.chance(3):
            item["deposed"] = self.one("ab12cd34", self.hostile())
        return item

    def strongbox(self) -> dict[str, Any]:
        """A resource with every kind of secret, in every place."""

        def values() -> _Value:
            hidden: dict[str, Any] = {
                "text": self.secret(),
                "number": self._number(),
                "list": [self.secret(), {"x": self.secret()}],
                "object": {self.secret(): [self.secret()]},
                "json": json.dumps({"x": self.secret()}),
            }
            open_values: dict[str, Any] = {
                "container_definitions": self.containers(),
                "settings": self.settings(),
                "policy": json.dumps(self.settings()),
                "shapes": [shape(self.secret()) for shape in SHAPES] + [self.shaped()],
                **{name: self.hidden(keys=False) for name in SECRET_NAMES},
            }
            mixed = {
                "leaves": {"x": self.secret(), "y": [1, self.secret()], "z": self.text()},
                "other_shape": [self.secret()],
            }
            marks = {"leaves": {"x": True, "y": [False, True]}, "other_shape": {"x": True}}
            sensitive = dict.fromkeys(hidden, True) | marks
            return _Value(hidden | open_values | mixed, sensitive, {"id": True})

        item = self.resource(self.one(["update"], ["create"], ["delete"], ["create", "delete"], ["forget"]))
        before, after = values(), values()
        change = item["change"]
        if change["before"] is not None:
            change |= {"before": before.value, "before_sensitive": before.sensitive}
        if change["after"] is not None:
            change |= {
                "after": after.value,
                "after_sensitive": after.sensitive,
                "after_unknown": after.unknown,
            }
        if "replace_paths" in change:
            # Which key of a sensitive map forces it is sensitive as well.
            change["replace_paths"] = [["object", self.secret(), 0], ["leaves", "x", self.secret()]]
        return item

    def output(self) -> dict[str, Any]:
        actions = self.one(["create"], ["update"], ["delete"], ["no-op"])
        before, after = self.value(1), self.value(1)
        if actions == ["no-op"]:
            after = before
        return {
            "actions": actions,
            "before": None if actions == ["create"] else before.value,
            "after": None if actions == ["delete"] else after.value,
            "after_unknown": after.unknown,
            "before_sensitive": before.sensitive,
            "after_sensitive": after.sensitive,
        }

    def outputs(self) -> dict[str, Any]:
        found = {self.hostile(): self.output() for _ in range(self.draw(st.integers(0, 2)))}
        if self.chance(3):
            found["db_password"] = {
                "actions": ["update"],
                "before": self.secret(),
                "after": [self.secret(), {"x": self.secret()}],
                "after_unknown": False,
            }
        return found

    def check(self) -> dict[str, Any]:
        def status() -> str:
            return str(self.one("pass", "fail", "error", "unknown"))

        instances = [
            {
                "address": {"to_display": self.document_text()},
                "status": status(),
                "problems": [{"message": self.document_text()} for _ in range(self.draw(st.integers(0, 2)))],
            }
            for _ in range(self.draw(st.integers(0, 2)))
        ]
        address = {"kind": "check", "to_display": f"check.{self.hostile()}"}
        return {"address": address, "status": status(), "instances": instances}

    def drift(self) -> tuple[dict[str, Any], bool]:
        """A resource that was changed, and whether the plan will be told to depend on what changed."""
        kind = self.one(*TYPES)
        secret = self.secret()
        change = {
            "actions": self.one(["update"], ["delete"]),
            "before": {"size": self.text() + "1", "password": secret, "note": ""},
            "after": {"size": self.text() + "2", "password": secret, "note": None},
            "before_sensitive": {},
            "after_sensitive": {"password": True},
        }
        if change["actions"] == ["delete"]:
            change |= {"after": None, "after_sensitive": False}
        item = {"address": self.address(kind), "mode": "managed", "type": kind, "name": "r", "change": change}
        return item, self.one(True, False)

    def invocation(self) -> dict[str, Any]:
        return {
            "address": f"action.aws_lambda_invoke.{self.document_text()}",
            "type": self.one("aws_lambda_invoke", self.hostile()),
            "config_values": {"payload": self.secret()},
        }

    def deferred(self) -> dict[str, Any]:
        reason = self.one("instance_count_unknown", self.document_text())
        return {"reason": reason, "resource_change": self.resource()}

    def deferred_invocation(self) -> dict[str, Any]:
        return {"reason": "deferred_prereq", "action_invocation": self.invocation()}

    def some(self, make: Callable[[], Any], most: int) -> list[Any]:
        return [make() for _ in range(self.draw(st.integers(0, most)))] if self.chance(2) else []


_PARTS: tuple[Callable[[_Value], Any], ...] = (
    lambda item: item.value,
    lambda item: item.sensitive,
    lambda item: item.unknown,
)


def _is_unknown(marks: Any) -> bool:
    """What is there already is known."""
    if isinstance(marks, dict):
        return any(map(_is_unknown, marks.values()))
    return any(map(_is_unknown, marks)) if isinstance(marks, list) else bool(marks)


def _joined(items: dict[str, _Value]) -> _Value:
    return _Value(*({name: part(item) for name, item in items.items()} for part in _PARTS))


@st.composite
def plans(draw: st.DrawFn, *, most: int = 5, secret_addresses: bool = True) -> Made:
    """A plan of about `most` resource changes; sometimes one with a single section, or with nothing."""
    make = _Maker(draw, secret_addresses=secret_addresses)
    only = make.one(*SECTIONS) if make.chance(3) else None
    document: dict[str, Any] = {
        "format_version": make.one(*VERSIONS),
        "terraform_version": make.one("1.14.0", make.hostile()),
        "variables": {"anything": {"value": make.secret()}},
        "planned_values": {"outputs": {"x": {"value": make.secret()}}},
        "configuration": {"root_module": {"variables": {"x": {"default": make.secret()}}}},
        "prior_state": {"values": {"root_module": {"resources": [{"values": {"x": make.secret()}}]}}},
        "timestamp": "2026-01-01T00:00:00Z",
        "resource_changes": [],
    }
    if only is None:
        document["resource_changes"] = [make.resource() for _ in range(draw(st.integers(0, most)))]
        if most > 1 and make.chance(2):
            document["resource_changes"].append(make.strongbox())
    else:
        document["resource_changes"] = [make.resource(["no-op"]) for _ in range(draw(st.integers(0, 2)))]

    def section(name: str, item: Callable[[], Any], most: int) -> list[Any]:
        return make.some(item, most) if only is None or only == name else []

    document |= {
        "output_changes": make.outputs() if only in (None, "outputs") else {},
        "checks": section("checks", make.check, 2),
        "deferred_changes": section("deferred", make.deferred, 2),
        "action_invocations": section("actions", make.invocation, 2),
        "deferred_action_invocations": section("deferred actions", make.deferred_invocation, 1),
    }
    drift = section("drift", make.drift, 3)
    document["resource_drift"] = [item for item, _ in drift]
    document["relevant_attributes"] = [
        {"resource": item["address"], "attribute": ["size"] if depends else ["note"]}
        for item, depends in drift
        if depends or item["change"]["actions"] == ["update"]
    ]
    if make.chance(8):
        document["errored"] = True
    if make.chance(3):
        document["complete"] = not make.chance(6)
    all_relevant = not document["resource_changes"] or document["format_version"] in ("0.1", "0.2", "1.0")
    relevant = tuple(item["address"] for item, depends in drift if depends or all_relevant)
    return Made(document, tuple(make.secrets), relevant)


@st.composite
def errors(draw: st.DrawFn) -> tuple[str, tuple[str, ...]]:
    """What Terraform says when planning fails, and the secrets in it."""
    make = _Maker(draw, secret_addresses=True)
    end = make.one("```", "`````", "~~~", "</details>", "-->", "# Heading")
    text = f"Error: {make.document_text()}\n\n  on main.tf line 1:\n{make.document_text()}\n{end}\n{MARK}"
    return text.encode(errors="replace").decode(), tuple(make.secrets)


def many(made: Made, times: int) -> Made:
    """The same plan with so many of each resource."""
    changes = [
        {**item, "address": f"module.m{number}.{item['address']}"}
        for number in range(times)
        for item in made.document["resource_changes"]
    ]
    return Made(made.document | {"resource_changes": changes}, made.secrets, made.relevant_drift)


def encoded(made: Made) -> bytes:
    """As Terraform writes it: one line and a line break."""
    return json.dumps(made.document, separators=(",", ":")).encode() + b"\n"


def reordered(value: Any) -> Any:
    """The same with the keys of all objects the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def examples(percent: int) -> settings:
    """A part of the examples that other tests draw in the profile in use: these take longer."""
    return settings(
        max_examples=settings().max_examples * percent // 100,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
