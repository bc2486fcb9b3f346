"""Flags for a task definition and its containers: image, secrets, rights, memory, health check, logs, ports.

Source: AWS's "Amazon ECS API Reference", ContainerDefinition.
"""

from collections.abc import Iterator

from review.comparing.differences import differences
from review.flags.attributes import number
from review.flags.services import plain_secret
from review.flags.subject import TASK_DEFINITION, Subject, hidden
from review.model import ABSENT, Block, Concern, Flag, Masked, Tree, blocks, is_nothing

Where = tuple[str, ...]

KEY = "container_definitions"

HOST = (
    ("network_mode", "Containers use the network of the host."),
    ("pid_mode", "Containers see the processes of the host."),
    ("ipc_mode", "Containers share memory with the host."),
)

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
        yield from _container(subject, (KEY, name), former.get(name), definition)
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


def _container(subject: Subject, where: Where, before: Block | None, after: Block) -> Iterator[Flag]:
    """Flags changes of a container; `before` is None for a new one."""
    found = list(_judged(subject, where, before, after))
    yield from found
    if before is not None:
        told = {flag.path[len(where)] for flag in found}
        if "environment" in told:
            told.add("secrets")  # a value that moves from one to the other is one point
        yield from _others(subject, where, before, after, told)


def _judged(subject: Subject, where: Where, before: Block | None, after: Block) -> Iterator[Flag]:
    """Flags what has rules of its own."""
    yield from _secrets(subject, where, before or {}, after)
    yield from _rights(subject, where, before, after)
    if before is None:
        return
    yield from _image(subject, where, before, after)
    yield from _command(subject, where, before, after)
    for key, (title, reason) in LOWERED.items():
        former, now = number(before.get(key)), number(after.get(key))
        if former and now is not None and now < former:
            path = (*where, key)
            yield subject.flag(Concern.RUNTIME, title, reason, path, before[key], after[key], weight=58)
    yield from _health(subject, where, before, after)
    yield from _log(subject, where, before, after)
    yield from _ports(subject, where, before, after)
    yield from _variables(subject, where, before, after)


def _image(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    old, new = before.get("image", ABSENT), after.get("image", ABSENT)
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
    yield subject.flag(Concern.RUNTIME, "Image changed", reason, (*where, "image"), old, new)


def _command(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    for key in ("command", "entryPoint"):
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old != new and not (is_nothing(old) and is_nothing(new)):
            reason = "The container runs another program of its image, or runs it otherwise."
            yield subject.flag(Concern.RUNTIME, "Command changed", reason, (*where, key), old, new)
    old_secrets, new_secrets = (_entries(side, "secrets", "valueFrom") for side in (before, after))
    for name in sorted(old_secrets.keys() & new_secrets.keys()):
        if old_secrets[name] != new_secrets[name]:
            path = (*where, "secrets", name)
            reason = "The container gets another secret under this name."
            values = old_secrets[name], new_secrets[name]
            yield subject.flag(Concern.RUNTIME, "Secret changed", reason, path, *values)

    plain = _entries(after, "environment", "value")
    for name in sorted(old_secrets.keys() - new_secrets.keys() - plain.keys()):
        reason = "The container no longer gets the secret, or gets it under another name or in plain."
        path = (*where, "secrets", name)
        yield subject.flag(Concern.RUNTIME, "Secret removed", reason, path, old_secrets[name], ABSENT)
    if after.get("essential") is False and before.get("essential") is not False:
        reason = "The task now goes on when the container stops."
        former = before.get("essential", ABSENT)
        path = (*where, "essential")
        yield subject.flag(Concern.RUNTIME, "No longer essential", reason, path, former, False)


def _repository(image: str) -> str:
    """Returns an image's registry and repository, without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _entries(definition: Block, key: str, value: str) -> dict[str, Tree]:
    return {
        name: block.get(value, ABSENT)
        for block in blocks(definition.get(key))
        if isinstance(name := block.get("name"), str)
    }


def _secrets(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    """Flags secrets in plain variables: references before, or masked now."""
    references = _entries(before, "secrets", "valueFrom")
    former, now = _entries(before, "environment", "value"), _entries(after, "environment", "value")
    for name, value in sorted(now.items()):
        path = (*where, "environment", name)
        if name in references and name not in former:
            yield plain_secret(subject, path, references[name], value)
        elif isinstance(value, Masked) and not isinstance(former.get(name), Masked):
            yield plain_secret(subject, path, former.get(name, ABSENT), value)
    if hidden(after.get("environment")) and before.get("environment") != after.get("environment"):
        path = (*where, "environment")
        yield subject.unknown("Secret in plain", path, ABSENT, after["environment"])


def _rights(subject: Subject, where: Where, before: Block | None, after: Block) -> Iterator[Flag]:
    old = before or {}
    if after.get("privileged") is True and old.get("privileged") is not True:
        reason = "The container now has all rights on its host."
        former = old.get("privileged", ABSENT)
        yield subject.flag(
            Concern.RUNTIME, "Privileged container", reason, (*where, "privileged"), former, True
        )
    added = _capabilities(after, "add")
    for name in sorted(added - _capabilities(old, "add")):
        reason = "The container now has a right of the kernel's that containers do not have."
        path = (*where, "linuxParameters", "capabilities", "add")
        yield subject.flag(Concern.RUNTIME, "Capability added", reason, path, ABSENT, name)
    options = after.get("dockerSecurityOptions", ABSENT)
    if options != old.get("dockerSecurityOptions", ABSENT) and not is_nothing(options):
        reason = "What keeps the container apart from its host is set otherwise."
        path = (*where, "dockerSecurityOptions")
        former = old.get("dockerSecurityOptions", ABSENT)
        yield subject.flag(Concern.RUNTIME, "Security options changed", reason, path, former, options)
    devices = _devices(old)
    for device in _devices(after):
        if device not in devices:
            reason = "The container can now use a device of the host."
            path = (*where, "linuxParameters", "devices")
            yield subject.flag(Concern.RUNTIME, "Shared with the host", reason, path, ABSENT, device)
    user = after.get("user", ABSENT)
    if isinstance(user, str) and _is_root(user) and not _is_root(old.get("user")):
        reason = "The container now runs as root."
        yield subject.flag(
            Concern.RUNTIME, "Runs as root", reason, (*where, "user"), old.get("user", ABSENT), user
        )
    if before is None:
        return
    if is_nothing(user) and not is_nothing(old.get("user")) and not _is_root(old.get("user")):
        reason = "The image says as whom the container runs, which may be root."
        yield subject.flag(Concern.RUNTIME, "Runs as root", reason, (*where, "user"), old["user"], ABSENT)
    for name in sorted(_capabilities(old, "drop") - _capabilities(after, "drop")):
        reason = "A right of the kernel's that was taken from the container is no longer."
        path = (*where, "linuxParameters", "capabilities", "drop")
        yield subject.flag(Concern.RUNTIME, "Capability added", reason, path, name, ABSENT)
    if old.get("readonlyRootFilesystem") is True and after.get("readonlyRootFilesystem") is not True:
        reason = "The container can now write to its own files."
        path = (*where, "readonlyRootFilesystem")
        value = after.get("readonlyRootFilesystem", ABSENT)
        yield subject.flag(Concern.RUNTIME, "Root file system writable", reason, path, True, value)


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


def _health(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    old, new = before.get("healthCheck", ABSENT), after.get("healthCheck", ABSENT)
    path = (*where, "healthCheck")
    if not is_nothing(old) and is_nothing(new):
        reason = "Nothing asks the container any longer whether it works."
        yield subject.flag(Concern.RUNTIME, "Health check removed", reason, path, old, ABSENT)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    if old.get("command") != new.get("command"):
        reason = "The container is now asked in another way whether it works."
        former, now = old.get("command", ABSENT), new.get("command", ABSENT)
        yield subject.flag(Concern.RUNTIME, "Health check changed", reason, (*path, "command"), former, now)
    for key in ("interval", "retries", "timeout", "startPeriod"):
        first, last = number(old.get(key)), number(new.get(key))
        if first is not None and last is not None and last > first:
            reason = "It now takes longer until a container that does not work is found."
            yield subject.flag(
                Concern.RUNTIME, "Health check loosened", reason, (*path, key), old[key], new[key]
            )


def _log(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    old, new = before.get("logConfiguration", ABSENT), after.get("logConfiguration", ABSENT)
    is_off = isinstance(new, dict) and new.get("logDriver") == "none"
    if not is_nothing(old) and (is_nothing(new) or (is_off and old != new)):
        reason = "What the container writes is no longer kept."
        path = (*where, "logConfiguration")
        yield subject.flag(Concern.PROTECTION, "Logging off", reason, path, old, new)


def _ports(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    old, new = _port_numbers(before), _port_numbers(after)
    if old != new:
        reason = "The container listens on other ports."
        path = (*where, "portMappings")
        yield subject.flag(Concern.RUNTIME, "Ports changed", reason, path, [*old], [*new])


def _port_numbers(definition: Block) -> list[str]:
    """Returns the ports of a container as `8080/tcp`."""
    return sorted(
        f"{block.get('containerPort')}/{block.get('protocol') or 'tcp'}"
        for block in blocks(definition.get("portMappings"))
    )


def _variables(subject: Subject, where: Where, before: Block, after: Block) -> Iterator[Flag]:
    """Flags plain variables that change, as one point; secrets have points of their own."""
    old, new = _entries(before, "environment", "value"), _entries(after, "environment", "value")
    secrets = _entries(before, "secrets", "valueFrom")
    names = sorted(
        name
        for name in old.keys() | new.keys()
        if old.get(name, ABSENT) != new.get(name, ABSENT)
        and name not in secrets
        and (isinstance(old.get(name), Masked) or not isinstance(new.get(name), Masked))
    )
    if not names:
        return
    sides = [{name: side[name] for name in names if name in side} for side in (old, new)]
    path, (former, now) = (*where, "environment"), sides
    reason = "The container sees other settings."
    if len(names) == 1:
        path = (*path, names[0])
        values = old.get(names[0], ABSENT), new.get(names[0], ABSENT)
    else:
        values = former or ABSENT, now or ABSENT
    yield subject.flag(Concern.RUNTIME, "Variables changed", reason, path, *values, weight=42)


def _others(subject: Subject, where: Where, before: Block, after: Block, told: set[str]) -> Iterator[Flag]:
    """Flags every other key of a container that changes; `told` has those that flags tell already."""
    for key in sorted((before.keys() | after.keys()) - told):
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        found = differences({key: old}, {key: new})
        if not found or (is_nothing(old) and is_nothing(new)):
            continue
        first = found[0]
        reason = "ECS runs the container differently."
        yield subject.flag(
            Concern.RUNTIME,
            "Container settings changed",
            reason,
            (*where, *first.path),
            first.before,
            first.after,
            weight=34,
        )
