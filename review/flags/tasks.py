"""Flags for a task definition and its containers: image, secrets, rights, memory, health check, logs, ports.

Source: AWS's "Amazon ECS API Reference", ContainerDefinition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from review.comparing.differences import differences
from review.flags.attributes import number
from review.flags.services import plain_secret
from review.flags.subject import TASK_DEFINITION, Subject, hidden
from review.model import ABSENT, Block, Concern, Flag, Masked, Tree, blocks, is_nothing

KEY = "container_definitions"

HOST = (
    ("network_mode", "Containers use the network of the host."),
    ("pid_mode", "Containers see the processes of the host."),
    ("ipc_mode", "Containers share memory with the host."),
)

CAPABILITIES = ("linuxParameters", "capabilities")

LOWERED = {
    "memory": ("Memory lowered", "A container that needs more memory than this is killed."),
    "memoryReservation": ("Memory lowered", "Less memory is reserved for the container."),
    "cpu": ("CPU lowered", "It runs slower under load."),
}


def tasks(subject: Subject) -> Iterator[Flag]:
    """Flags changes of a task definition's containers."""
    if subject.change.type != TASK_DEFINITION or not subject.stays:
        return
    before, after = subject.sides(KEY)
    yield from _host(subject)
    if hidden(after):
        if before != after:
            yield subject.unknown("Containers not known", (KEY,), before, after)
        return
    former, now = _by_name(before), _by_name(after)
    for name, definition in now.items():
        yield from _container(_Container(subject, name, former.get(name, {}), definition, name not in former))
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
        before, after = subject.sides(key)
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


@dataclass(frozen=True, slots=True)
class _Container:
    """A container of a task definition, before and after."""

    subject: Subject
    name: str
    before: Block
    after: Block
    is_new: bool

    def sides(self, key: str) -> tuple[Tree, Tree]:
        """Returns the values of a key, before and after."""
        return self.before.get(key, ABSENT), self.after.get(key, ABSENT)

    def flag(
        self,
        title: str,
        reason: str,
        path: Sequence[str],
        before: Tree = ABSENT,
        after: Tree = ABSENT,
        weight: int | None = None,
    ) -> Flag:
        """Builds a flag about a value of the container."""
        return self.subject.flag(
            Concern.RUNTIME, title, reason, (KEY, self.name, *path), before, after, weight=weight
        )


def _container(it: _Container) -> Iterator[Flag]:
    """Flags changes of a container."""
    found = [*_plain_secrets(it), *_rights(it)]
    if it.is_new:
        yield from found
        return
    for rule in (_image, _command, _secrets, _sizes, _taken_rights, _health, _log, _ports, _variables):
        found += rule(it)
    told = {flag.path[2] for flag in found}
    if "environment" in told:
        told.add("secrets")  # a value that moves from one to the other is one point
    yield from found
    yield from _others(it, told)


def _image(it: _Container) -> Iterator[Flag]:
    old, new = it.sides("image")
    if old == new:
        return
    if not isinstance(old, str) or not isinstance(new, str):
        reason = "The container runs another image."
    elif _repository(old) != _repository(new):
        reason = "The container runs an image of another repository."
    elif "@" in new:
        reason = "The container runs another image, named by its digest."
    elif "@" in old:
        reason = "The image is no longer named by its digest, but by a tag, behind which it can be replaced."
    else:
        reason = "The container runs another image, named by a tag, behind which it can be replaced."
    yield it.flag("Image changed", reason, ["image"], old, new)


def _repository(image: str) -> str:
    """Returns an image's registry and repository, without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _command(it: _Container) -> Iterator[Flag]:
    for key in ("command", "entryPoint"):
        old, new = it.sides(key)
        if old != new and not (is_nothing(old) and is_nothing(new)):
            reason = "The container runs another program of its image, or runs it otherwise."
            yield it.flag("Command changed", reason, [key], old, new)
    old, new = it.sides("essential")
    if new is False and old is not False:
        reason = "The task now goes on when the container stops."
        yield it.flag("No longer essential", reason, ["essential"], old, new)


def _secrets(it: _Container) -> Iterator[Flag]:
    """Flags references to secrets that change or are gone."""
    old, new = (_entries(side, "secrets", "valueFrom") for side in (it.before, it.after))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            reason = "The container gets another secret under this name."
            yield it.flag("Secret changed", reason, ["secrets", name], old[name], new[name])
    plain = _entries(it.after, "environment", "value")
    for name in sorted(old.keys() - new.keys() - plain.keys()):
        reason = "The container no longer gets the secret, or gets it under another name or in plain."
        yield it.flag("Secret removed", reason, ["secrets", name], old[name])


def _entries(definition: Block, key: str, value: str) -> dict[str, Tree]:
    return {
        name: block.get(value, ABSENT)
        for block in blocks(definition.get(key))
        if isinstance(name := block.get("name"), str)
    }


def _plain_secrets(it: _Container) -> Iterator[Flag]:
    """Flags secrets in plain variables: references before, or masked now."""
    references = _entries(it.before, "secrets", "valueFrom")
    former, now = (_entries(side, "environment", "value") for side in (it.before, it.after))
    for name, value in sorted(now.items()):
        path = (KEY, it.name, "environment", name)
        if name in references and name not in former:
            yield plain_secret(it.subject, path, references[name], value)
        elif isinstance(value, Masked) and not isinstance(former.get(name), Masked):
            yield plain_secret(it.subject, path, former.get(name, ABSENT), value)
    before, after = it.before.get("environment"), it.after.get("environment")
    if hidden(after) and before != after:
        yield it.subject.unknown("Secret in plain", (KEY, it.name, "environment"), ABSENT, after)


def _sizes(it: _Container) -> Iterator[Flag]:
    for key, (title, reason) in LOWERED.items():
        before, after = it.sides(key)
        former, now = number(before), number(after)
        if former and now is not None and now < former:
            yield it.flag(title, reason, [key], before, after, weight=58)


def _rights(it: _Container) -> Iterator[Flag]:
    """Flags rights that a container gets."""
    old, new = it.sides("privileged")
    if new is True and old is not True:
        reason = "The container now has all rights on its host."
        yield it.flag("Privileged container", reason, ["privileged"], old, new)
    for name in sorted(_capabilities(it.after, "add") - _capabilities(it.before, "add")):
        reason = "The container now has a right of the kernel's that containers do not have."
        yield it.flag("Capability added", reason, [*CAPABILITIES, "add"], ABSENT, name)
    old, new = it.sides("dockerSecurityOptions")
    if new != old and not is_nothing(new):
        reason = "What keeps the container apart from its host is set otherwise."
        yield it.flag("Security options changed", reason, ["dockerSecurityOptions"], old, new)
    devices = _devices(it.before)
    for device in _devices(it.after):
        if device not in devices:
            reason = "The container can now use a device of the host."
            yield it.flag("Shared with the host", reason, ["linuxParameters", "devices"], ABSENT, device)
    old, new = it.sides("user")
    if _is_root(new) and not _is_root(old):
        yield it.flag("Runs as root", "The container now runs as root.", ["user"], old, new)


def _taken_rights(it: _Container) -> Iterator[Flag]:
    """Flags limits of a container's rights that are gone."""
    old, new = it.sides("user")
    if is_nothing(new) and not is_nothing(old) and not _is_root(old):
        reason = "The image says as whom the container runs, which may be root."
        yield it.flag("Runs as root", reason, ["user"], old)
    for name in sorted(_capabilities(it.before, "drop") - _capabilities(it.after, "drop")):
        reason = "A right of the kernel's that was taken from the container is no longer."
        yield it.flag("Capability added", reason, [*CAPABILITIES, "drop"], name)
    old, new = it.sides("readonlyRootFilesystem")
    if old is True and new is not True:
        reason = "The container can now write to its own files."
        yield it.flag("Root file system writable", reason, ["readonlyRootFilesystem"], old, new)


def _is_root(user: Tree) -> bool:
    name = user.partition(":")[0] if isinstance(user, str) else ""
    return name == "root" or (name.isdecimal() and int(name) == 0)


def _devices(definition: Block) -> list[Block]:
    return [
        device
        for parameters in blocks(definition.get("linuxParameters"))
        for device in blocks(parameters.get("devices"))
    ]


def _capabilities(definition: Block, key: str) -> set[str]:
    return {
        name
        for parameters in blocks(definition.get("linuxParameters"))
        for capabilities in blocks(parameters.get("capabilities"))
        if isinstance(listed := capabilities.get(key), list)
        for name in listed
        if isinstance(name, str)
    }


def _health(it: _Container) -> Iterator[Flag]:
    old, new = it.sides("healthCheck")
    if not is_nothing(old) and is_nothing(new):
        reason = "Nothing asks the container any longer whether it works."
        yield it.flag("Health check removed", reason, ["healthCheck"], old)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    if old.get("command") != new.get("command"):
        reason = "The container is now asked in another way whether it works."
        former, now = old.get("command", ABSENT), new.get("command", ABSENT)
        yield it.flag("Health check changed", reason, ["healthCheck", "command"], former, now)
    for key in ("interval", "retries", "timeout", "startPeriod"):
        first, last = number(old.get(key)), number(new.get(key))
        if first is not None and last is not None and last > first:
            reason = "It now takes longer until a container that does not work is found."
            yield it.flag("Health check loosened", reason, ["healthCheck", key], old[key], new[key])


def _log(it: _Container) -> Iterator[Flag]:
    old, new = it.sides("logConfiguration")
    is_off = isinstance(new, dict) and new.get("logDriver") == "none"
    if not is_nothing(old) and (is_nothing(new) or (is_off and old != new)):
        reason = "What the container writes is no longer kept."
        path = (KEY, it.name, "logConfiguration")
        yield it.subject.flag(Concern.PROTECTION, "Logging off", reason, path, old, new)


def _ports(it: _Container) -> Iterator[Flag]:
    old, new = _port_numbers(it.before), _port_numbers(it.after)
    if old != new:
        reason = "The container listens on other ports."
        yield it.flag("Ports changed", reason, ["portMappings"], [*old], [*new])


def _port_numbers(definition: Block) -> list[str]:
    """Returns the ports of a container as `8080/tcp`."""
    return sorted(
        f"{block.get('containerPort')}/{block.get('protocol') or 'tcp'}"
        for block in blocks(definition.get("portMappings"))
    )


def _variables(it: _Container) -> Iterator[Flag]:
    """Flags plain variables that change, as one point; secrets have points of their own."""
    old, new = (_entries(side, "environment", "value") for side in (it.before, it.after))
    secrets = _entries(it.before, "secrets", "valueFrom")
    names = sorted(
        name
        for name in old.keys() | new.keys()
        if old.get(name, ABSENT) != new.get(name, ABSENT)
        and name not in secrets
        and (isinstance(old.get(name), Masked) or not isinstance(new.get(name), Masked))
    )
    reason = "The container sees other settings."
    if len(names) == 1:
        (name,) = names
        sides = old.get(name, ABSENT), new.get(name, ABSENT)
        yield it.flag("Variables changed", reason, ["environment", name], *sides, weight=42)
    elif names:
        former, now = ({name: side[name] for name in names if name in side} for side in (old, new))
        yield it.flag(
            "Variables changed", reason, ["environment"], former or ABSENT, now or ABSENT, weight=42
        )


def _others(it: _Container, told: set[str]) -> Iterator[Flag]:
    """Flags every other key of a container that changes; `told` has those that flags tell already."""
    for key in sorted((it.before.keys() | it.after.keys()) - told):
        old, new = it.sides(key)
        found = differences({key: old}, {key: new})
        if not found or (is_nothing(old) and is_nothing(new)):
            continue
        path, former, now = found[0].path, found[0].before, found[0].after
        reason = "ECS runs the container differently."
        yield it.flag("Container settings changed", reason, path, former, now, weight=34)
