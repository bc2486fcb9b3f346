"""Telling the status page of an environment what is wrong, or planned."""

import getpass
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env, act_in_environment
from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.console import console, for_people, print_table, printable
from ops.core.errors import OpsError, UsageError
from ops.incidents.status_app import (
    TOKEN_VARIABLE,
    Incident,
    StatusApp,
    checked_token,
    status_service,
)
from ops.local.stand_in import stand_in
from ops.rollout.smoke import address_of, checked_address
from ops.terraform.targets import environment_of
from stacks import routing
from stacks.reading import read_platform
from stacks.workloads import workload

app = typer.Typer()

_SCALARS: Final = ("title", "state", "severity", "ends_at", "message")

Title = Annotated[str, typer.Option("--title", help="What is wrong or planned, in a few words.")]
Message = Annotated[str, typer.Option("--message", help="What to tell people, in a sentence or two.")]
Severity = Annotated[str, typer.Option("--severity", help="minor, major or critical.")]
Components = Annotated[
    str | None,
    typer.Option("--components", help="Components such as services.web,queues.orders, with commas between."),
]
Address = Annotated[
    str, typer.Option("--address", help="Where the status app answers; by default its own address.")
]


@app.command("incident")
@for_people
def open_incident(
    env: Env = None,
    title: Title = "",
    message: Message = "",
    severity: Severity = "minor",
    components: Components = None,
    address: Address = "",
    directory: Directory = HERE,
) -> None:
    """Open an incident on the status page of an environment; opens no other while that one is open."""
    _require(TITLE=title, MESSAGE=message)
    found = _status_app(directory, env, address, writing=True)
    new = {"title": title, "message": message, "severity": severity, "components": _split(components)}
    _open(found, new)


@app.command()
@for_people
def maintenance(
    env: Env = None,
    title: Title = "",
    message: Message = "",
    starts: Annotated[str, typer.Option("--starts", help="When it starts: 2026-12-01T22:00:00Z.")] = "",
    ends: Annotated[str, typer.Option("--ends", help="When it ends: 2026-12-01T23:00:00Z.")] = "",
    components: Components = None,
    address: Address = "",
    directory: Directory = HERE,
) -> None:
    """Announce a maintenance on the status page of an environment; the same command again adds no other."""
    _require(TITLE=title, MESSAGE=message, STARTS=starts, ENDS=ends)
    found = _status_app(directory, env, address, writing=True)
    new = {
        "kind": "maintenance",
        "title": title,
        "message": message,
        "starts_at": starts,
        "ends_at": ends,
        "components": _split(components),
    }
    _open(found, new)


@app.command("incident-update")
@for_people
def update_incident(
    env: Env = None,
    identifier: Annotated[str, typer.Option("--id", help="Id of the incident or maintenance.")] = "",
    message: Message = "",
    state: Annotated[
        str,
        typer.Option(
            "--state",
            help="investigating (also reopens), identified, monitoring, resolved; or cancelled, completed.",
        ),
    ] = "",
    severity: Severity = "",
    title: Title = "",
    components: Components = None,
    ends: Annotated[str, typer.Option("--ends", help="New end of a maintenance.")] = "",
    correct: Annotated[
        int | None,
        typer.Option("--correct", min=1, help="Number of the update whose text MESSAGE= replaces."),
    ] = None,
    address: Address = "",
    directory: Directory = HERE,
) -> None:
    """Update, resolve, reopen, cancel or extend an incident or a maintenance, or correct an update of it."""
    _require(ID=identifier)
    given = dict(zip(_SCALARS, (title, state, severity, ends, message), strict=True))
    change: dict[str, object] = {name: value for name, value in given.items() if value}
    if components is not None:
        change["components"] = _split(components)
    if correct is not None:
        _require(MESSAGE=message)
        if change.keys() != {"message"}:
            raise UsageError("CORRECT= replaces the text of an update, and goes with MESSAGE= only.")
    if not change:
        raise UsageError("Nothing to change: give MESSAGE=, STATE=, SEVERITY=, TITLE=, COMPONENTS= or ENDS=.")
    found = _status_app(directory, env, address, writing=True)
    if correct is not None:
        changed: Incident | None = found.correct(identifier, correct, message)
    else:
        changed = found.change(identifier, change)
    if changed is None:
        console.print(Text("Its last update says this already; nothing was sent."))
    else:
        _print(found, changed, _state(changed))


@app.command("incidents")
@for_people
def list_incidents(env: Env = None, address: Address = "", directory: Directory = HERE) -> None:
    """List open incidents, and coming and running maintenances."""
    found = _status_app(directory, env, address, writing=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("ID", "WHAT", "STATE", "WHEN"):
        table.add_column(title, no_wrap=True)
    for title in ("COMPONENTS", "TITLE"):
        table.add_column(title, overflow="fold")
    for each in found.list_open():
        row = (
            each.id,
            _what(each),
            _state(each),
            _when(each),
            ", ".join(each.components),
            each.title,
        )
        table.add_row(*(Text(printable(text)) for text in row))
    if not table.row_count:
        console.print(Text(f"{found.environment} has no open incidents and no maintenances."))
        return
    print_table(table)


def _status_app(directory: Path, env: str | None, address: str, *, writing: bool) -> StatusApp:
    """Returns the status app of an environment, and for writing with the token of the one who runs this.

    AWS is asked for the address only where settings and command do not have it: it may be what is down.
    """
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = status_service(environment)
    settings = environment.services[service]
    desk = stand_in(checkout, platform.project, environment)
    if address:
        address = checked_address(address)
    elif desk:
        desk.state(service)
        address = desk.address(service)
    elif routing.domains(environment, settings):
        address = routing.url(environment, settings, "")
    else:
        act_in_environment(platform, environment)
        elb = ambient_client("elbv2", environment.region)
        address = address_of(elb, workload(platform.project, environment, service))
    hint = f" At this desk: {TOKEN_VARIABLE}=$(cat {checkout.local / 'write-token'})" if desk else ""
    token = _token(hint) if writing else ""
    return StatusApp(environment.name, address, token, settings.token_over_http)


def _token(hint: str) -> str:
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        if not sys.stdin.isatty():
            raise UsageError(f"{TOKEN_VARIABLE} is missing: export the token that may write.{hint}")
        try:
            token = getpass.getpass("Token that may write to the status page: ")
        except EOFError:
            raise OpsError("Nobody answered; nothing was done.") from None
    return checked_token(token)


def _open(found: StatusApp, new: Mapping[str, object]) -> None:
    opened = found.open(new)
    state = _state(opened.incident)
    _print(
        found, opened.incident, f"opened before by the same command, {state} now" if opened.before else state
    )


def _print(found: StatusApp, incident: Incident, state: str) -> None:
    console.print(Text.assemble((_what(incident), "bold"), f": {printable(incident.title)}, {state}"))
    console.print(Text(found.permalink(incident)))
    console.print(Text(f"make incident-update ENV={found.environment} ID={printable(incident.id)} MESSAGE="))


def _what(incident: Incident) -> str:
    return printable(f"{incident.severity} incident" if incident.severity else incident.kind)


def _state(incident: Incident) -> str:
    return printable(incident.state).replace("_", " ")


def _when(incident: Incident) -> str:
    if incident.starts_at and incident.ends_at:
        return f"{_minute(incident.starts_at)} to {_minute(incident.ends_at)}"
    return f"since {_minute(incident.opened_at)}"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _split(components: str | None) -> list[str]:
    return (components or "").replace(",", " ").split()


def _require(**options: str) -> None:
    missing = [f"{name}=" for name, value in options.items() if not value.strip()]
    if missing:
        raise UsageError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")
