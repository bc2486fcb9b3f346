"""Flags for the containers of a task definition.

Source: AWS's "Amazon ECS API Reference", ContainerDefinition.
"""

from collections.abc import Iterator

from review.flags.containers import container
from review.flags.subject import TASK_DEFINITION, Subject, blocks, hidden
from review.model import ABSENT, Block, Concern, Flag, Tree, is_nothing

KEY = "container_definitions"

HOST = (
    ("network_mode", "Containers use the network of the host."),
    ("pid_mode", "Containers see the processes of the host."),
    ("ipc_mode", "Containers share memory with the host."),
)


def tasks(subject: Subject) -> Iterator[Flag]:
    """Flags changes of a task definition's containers."""
    if subject.change.type != TASK_DEFINITION or not subject.stays:
        return
    before, after = subject.before.get(KEY, ABSENT), subject.after.get(KEY, ABSENT)
    yield from _host(subject)
    if hidden(after):
        if before != after:
            yield subject.unknown("Containers not known", (KEY,), before, after)
        return
    former, now = _by_name(before), _by_name(after)
    for name, definition in now.items():
        yield from container(subject, (KEY, name), former.get(name), definition)
    for name in former.keys() - now.keys():
        reason = "A container of the task is gone."
        image = former[name].get("image", ABSENT)
        yield subject.flag(Concern.RUNTIME, "Container removed", reason, (KEY, name), image)
    if former:
        for name in now.keys() - former.keys():
            reason = "Another container now runs in the task."
            image = now[name].get("image", ABSENT)
            yield subject.flag(Concern.RUNTIME, "Container added", reason, (KEY, name), ABSENT, image)


def _by_name(definitions: Tree) -> dict[str, Block]:
    named = {}
    for place, definition in enumerate(blocks(definitions)):
        name = definition.get("name")
        named[name if isinstance(name, str) and name else str(place)] = definition
    return named


def _host(subject: Subject) -> Iterator[Flag]:
    for key, reason in HOST:
        before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
        if after == "host" and before != "host":
            yield subject.flag(Concern.RUNTIME, "Shared with the host", reason, (key,), before, after)
    paths = _host_paths(subject.before)
    for name, path in sorted(_host_paths(subject.after).items()):
        if paths.get(name) != path:
            reason = "A container can now read files of the host."
            where = ("volume", name, "host_path")
            former = paths.get(name, ABSENT)
            yield subject.flag(Concern.RUNTIME, "Shared with the host", reason, where, former, path)


def _host_paths(resource: Block) -> dict[str, Tree]:
    return {
        str(block.get("name", "")): block["host_path"]
        for block in blocks(resource.get("volume"))
        if not is_nothing(block.get("host_path"))
    }
