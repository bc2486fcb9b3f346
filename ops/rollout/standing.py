"""Where things stand when a deployment ends early, and which `make` commands go on from there."""

NOTHING = "Nothing was changed."


def recorded(env: str) -> str:
    """After the record, before the apply."""
    return (
        f"The release is recorded and not deployed. `make deploy ENV={env}` deploys it; "
        f"`make rollback ENV={env}` records the former one again."
    )


def applying(env: str) -> str:
    """During the apply."""
    return (
        "The apply was under way, so a part of it may be in force. "
        f"`make deploy ENV={env}` does the rest; {going_back(env)}."
    )


def applied(env: str) -> str:
    """After the apply, before everything was tested."""
    return (
        "The release is applied; ECS goes on with it, and nobody has tested it. "
        f"`make deploy ENV={env}` goes on waiting and tests it; {going_back(env)}."
    )


def failed(env: str, reason: str) -> str:
    """After a failure, before it is undone."""
    return (
        f"The release failed ({reason.rstrip('.')}) and is not undone, or only in part. "
        f"`make releases ENV={env}` shows what is recorded, `make deploy ENV={env}` brings it into force."
    )


def first(env: str) -> str:
    """After a failure of the first release."""
    return (
        "This is the first one, so there is none to go back to: it stays in force. Mend what is wrong and "
        f"deploy again, or remove it all with `make destroy ENV={env} STACK=service`."
    )


def same(env: str) -> str:
    """After a failure of a release that ran before."""
    return f"The same one ran before, so nothing was undone; {going_back(env)}."


def going_back(env: str) -> str:
    """How a person goes back."""
    return f"`make rollback ENV={env}` and `make deploy ENV={env}` go back to the former one"


def refused(env: str, stack: str, reasons: list[str]) -> str:
    """After a plan that does more than a release may."""
    named = f"ENV={env} STACK=service"
    told = "".join(f"\n  {reason}" for reason in reasons)
    return (
        f"The plan of {stack} does more than a release may, so nothing was applied:{told}\n"
        f"If that is what you want, look at it (`make plan {named}`) and apply it (`make apply {named}`)."
    )
