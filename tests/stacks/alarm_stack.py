"""A stack with alarms and what shows them, made of the constructs; its values are the tests' own."""

import json
from collections.abc import Sequence
from pathlib import Path

from stacks import kinds, watched, watched_stores
from stacks.bindings import App
from stacks.constructs.alarm_topic import AlarmTopics
from stacks.constructs.alarms import Alarms
from stacks.constructs.chat import ChatBoundary, ChatChannels
from stacks.constructs.dashboard import Dashboard
from stacks.constructs.log_group import LogGroup
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.saved_queries import SavedQueries
from stacks.reading import read_platform
from tests.stacks.platform_files import environment, write_platform
from tests.stacks.terraform_json import Stack

PREFIX = "oaktree-dev/"

SETTINGS = """
[alarms]
emails = ["team@example.com", "second@example.com"]
on_call = ["on-call@example.com"]

[alarms.slack]
workspace_id = "T0123ABCDEF"
channel_id = "C0123ABCDEF"

[alarms.teams]
tenant_id = "12345678-1234-1234-1234-123456789012"
team_id = "87654321-1234-1234-1234-123456789012"
channel_id = "19%3aabc%40thread.tacv2"
"""


def write_alarm_stack(
    outdir: Path,
    *,
    databases: Sequence[str] = ("shop",),
    tables: Sequence[str] = ("sessions",),
    settings: str = SETTINGS,
) -> Path:
    """Synthesizes the stack and returns its `cdk.tf.json`."""
    platform = read_platform(
        write_platform(outdir.parent / f"{outdir.name}-environments", dev=environment() + settings)
    )
    project, dev = platform.project, platform.environments["dev"]
    app = App(outdir=str(outdir))
    stack = PlatformStack(app, project, kinds.SERVICE.of_environment(dev))
    ChatBoundary(stack, project)
    topics = AlarmTopics(stack, project, dev)
    alarms = Alarms(stack, project, dev, topics)
    group = LogGroup(stack, "log", "/oaktree/dev/web", dev)
    alarms.watch("web", watched.log_group(group.name))
    for name in databases:
        key = f"databases.{name}"
        alarms.watch(key, watched_stores.database(alarms.limits(key), f"oaktree-dev-{name}"))
    for name in tables:
        key = f"tables.{name}"
        alarms.watch(key, watched_stores.table(alarms.limits(key), f"oaktree-dev-{name}"))
    alarms.watch_all()
    ChatChannels(stack, dev, topics)
    SavedQueries(stack, project, dev, [group.name])
    Dashboard(stack, project, dev, alarms)
    app.synth()
    return outdir / "stacks" / "dev-service" / "cdk.tf.json"


def alarm_stack(outdir: Path, settings: str = SETTINGS) -> Stack:
    """The synthesized stack."""
    return Stack(json.loads(write_alarm_stack(outdir, settings=settings).read_text()))
