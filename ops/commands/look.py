"""Looking at what runs (status, logs, a shell in a task, outputs), and at what the commands need (doctor)."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Final

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env, Service, act_in_environment, releases_of, service_in
from ops.core.checkout import SOURCE, Checkout
from ops.core.clients import ambient_client
from ops.core.console import complaints, console, for_people, print_table, rfc_3339
from ops.core.errors import OpsError, UsageError
from ops.local.stand_in import stand_in
from ops.look import doctor as doctors
from ops.look import execute, jobs, logs, outputs, queues
from ops.terraform.states import states_of
from ops.terraform.targets import environment_of
from stacks import kinds
from stacks.naming import log_group
from stacks.reading import SettingsError, read_platform
from stacks.settings import Environment

app = typer.Typer()

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_MARKS: Final[Mapping[doctors.Level, tuple[str, str]]] = {
    "ok": ("+", "green"),
    "note": ("!", "yellow"),
    "wrong": ("x", "red"),
}


@app.command()
@for_people
def status(
    env: Env = None,
    service: Annotated[str, typer.Option("--service", help="Service, such as web; all by default.")] = "",
    as_json: AsJson = False,
    directory: Directory = HERE,
) -> None:
    """Show services, tasks, images, deployments, jobs, alarms and the last release of an environment."""
    from ops.look.status import Reader
    from ops.look.status_words import environment_remarks, job_remarks, jobs_table, remarks, table

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    chosen = [service_in(environment, service)] if service else list(environment.services)
    act_in_environment(platform, environment)
    region = environment.region
    reader = Reader(
        platform.project,
        environment,
        ambient_client("ecs", region),
        ambient_client("scheduler", region),
        ambient_client("cloudwatch", region),
        releases_of(platform, environment),
    )
    now = datetime.now(UTC)
    kind = {each: environment.services[each].kind for each in chosen}
    statuses = [reader.read(each) for each in chosen if kind[each] != "job"]
    jobs_found = [reader.read_job(each, now) for each in chosen if kind[each] == "job"]
    shared = reader.read_alarms()
    if stand_in(checkout, platform.project, environment):
        complaints.print(
            "The embedded AWS starts no tasks and rolls nothing out: `make up` runs the services."
        )
    if as_json:
        shown = [asdict(each) | {"is_deployed": each.is_deployed} for each in statuses]
        found = {
            "environment": environment.name,
            "alarms": asdict(shared),
            "services": shown,
            "jobs": [asdict(each) for each in jobs_found],
        }
        print(json.dumps(found, indent=2, default=_rfc_3339))
        return
    console.print(
        Text.assemble((environment.name, "bold"), f": account {environment.account_id}, {region}\n")
    )
    if statuses:
        print_table(table(statuses, now))
    if jobs_found:
        if statuses:
            console.print()
        print_table(jobs_table(jobs_found, now))
    found_wrong = [
        *environment_remarks(environment, shared),
        *(remark for each in statuses for remark in remarks(environment, each)),
        *(remark for each in jobs_found for remark in job_remarks(environment, each)),
    ]
    if found_wrong:
        console.print()
    for remark in found_wrong:
        console.print(Text(remark))


@app.command()
@for_people
def cost(env: Env = None, directory: Directory = HERE) -> None:
    """Print what an environment costs a month at AWS's list prices, and what other settings would cost."""
    from ops.look.cost import cost_of, tables

    checkout = Checkout(directory.absolute())
    environment = environment_of(read_platform(checkout.environments), env)
    for part in tables(environment, cost_of(checkout, environment)):
        print_table(part)


@app.command()
@for_people
def prices(
    offers: Annotated[
        str, typer.Option("--offers", help="Where the price files are, if not at AWS.", show_default=False)
    ] = "",
) -> None:
    """Bring the table of prices up to date from AWS's public price files; needs no credentials."""
    from ops.look.prices import update

    updated = update(offers)
    for line in updated.lines:
        console.print(Text(line))
    if not updated.is_complete:
        raise typer.Exit(1)


@app.command("logs")
@for_people
def show_logs(
    env: Env = None,
    service: Service = "",
    since: Annotated[
        str, typer.Option("--since", help="How long ago, such as 15m, 2h, 1d, or a time in RFC 3339.")
    ] = "15m",
    follow: Annotated[
        bool, typer.Option("--follow", help="Continue with new events until interrupted.")
    ] = False,
    directory: Directory = HERE,
) -> None:
    """Show the log of a service, the oldest line first."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = service_in(environment, service)
    start = logs.start_of(since, datetime.now(UTC))
    act_in_environment(platform, environment)
    client = ambient_client("logs", environment.region)
    group = log_group(platform.project.name, environment.name, service)
    if desk := stand_in(checkout, platform.project, environment):
        file = desk.log(service)
        complaints.print(f"On the embedded AWS {service} logs to {file}, and nothing to {group}.")
    events = logs.follow(client, group, start, _complain) if follow else logs.read(client, group, start)
    shown = 0
    try:
        for event in events:
            console.print(logs.readable(event))
            shown += 1
    except KeyboardInterrupt:
        # Not an error: an interrupt is the only way to end `--follow`.
        raise typer.Exit(130) from None
    if not shown:
        complaints.print(f"{group} has no events since {since}.")


@app.command("exec")
@for_people
def execute_command(
    env: Env = None,
    service: Service = "",
    command: Annotated[str, typer.Option("--command", help="What to run.")] = execute.SHELL,
    directory: Directory = HERE,
) -> None:
    """Open a shell, or run another command, in the newest running task of a service."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    service = service_in(environment, service)
    if environment.services[service].kind == "job":
        raise UsageError(f"{service} is a job: it has no tasks that stay, so nothing to run a command in.")
    tools = execute.find_tools()
    act_in_environment(platform, environment)
    task = execute.find_task(
        ambient_client("ecs", environment.region), platform.project, environment, service
    )
    complaints.print(f"{environment.name} {service}: task {task.id}")
    program = execute.command(tools, task, environment.region, command)
    os.execve(program[0], program, os.environ)  # noqa: S606 - needs no shell


@app.command("run-job")
@for_people
def run_job(env: Env = None, service: Service = "", directory: Directory = HERE) -> None:
    """Start a run of a job, wait until it is done, and show how it ended with the end of its log."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    job = service_in(environment, service)
    if environment.services[job].kind != "job":
        raise UsageError(f"SERVICE={job} is not a job: {_jobs_of(environment)}")
    act_in_environment(platform, environment)
    sfn = ambient_client("stepfunctions", environment.region)
    desk = stand_in(checkout, platform.project, environment)
    log = desk.log(job) if desk else None
    size = log.stat().st_size if log and log.exists() else 0
    run_here = desk.job(job) if desk else None
    execution = jobs.start(sfn, platform.project, environment, job)
    complaints.print(f"{environment.name} {job}: run {execution.rpartition(':')[2]}")
    try:
        if run_here:
            run_here(execution)
        ended = jobs.wait(sfn, execution)
    except KeyboardInterrupt:
        if not desk:
            stop = f"aws stepfunctions stop-execution --execution-arn {execution}"
            complaints.print(f"The run goes on; `{stop} --region {environment.region}` stops it.")
        raise
    if log:
        for line in jobs.last_lines(log, size):
            console.print(Text(line))
    elif ended.task:
        client = ambient_client("logs", environment.region)
        for event in jobs.last_events(client, platform.project, environment, job, ended.task):
            console.print(logs.readable(event))
    console.print(Text(jobs.words(job, ended)))
    if not ended.succeeded:
        raise typer.Exit(1)


@app.command()
@for_people
def redrive(
    env: Env = None,
    queue: Annotated[
        str, typer.Option("--queue", help="Queue, such as orders; the only one by default.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Move the dead letters of a queue back to it, so that its readers try again."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    known = [key for key, each in environment.queues.items() if not each.existing]
    if not queue and len(known) == 1:
        queue = known[0]
    if queue not in known:
        said = f"QUEUE={queue} is not a queue" if queue else "QUEUE is missing"
        there = (
            f"Use one of {', '.join(known)}."
            if known
            else "[queues] in the settings has none that OakTree creates."
        )
        raise UsageError(f"{said} of {environment.name}. {there}")
    act_in_environment(platform, environment)
    sqs = ambient_client("sqs", environment.region)
    if not queues.dead_letters(sqs, platform.project, environment, queue):
        console.print(Text(f"{queue} of {environment.name} has no dead letters."))
        return
    try:
        moved = queues.redrive(sqs, platform.project, environment, queue)
    except KeyboardInterrupt:
        complaints.print("SQS goes on moving messages.")
        raise
    console.print(Text(queues.words(queue, moved)))
    if moved.status != "COMPLETED":
        raise typer.Exit(1)


@app.command("outputs")
@for_people
def show_outputs(
    env: Env = None,
    name: Annotated[str, typer.Option("--name", help="Print this one's value and nothing else.")] = "",
    as_json: AsJson = False,
    directory: Directory = HERE,
) -> None:
    """Show the outputs of an environment's stacks; a sensitive one only when it is named."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    environment = environment_of(platform, env)
    if name and as_json:
        raise UsageError("Either --name or --json: the value of one output, or all of them.")
    act_in_environment(platform, environment)
    project = platform.project
    states = states_of(project)
    if not states.exists():
        raise OpsError(
            f"The state bucket {states.name} does not exist yet: nothing is deployed. `make bootstrap "
            f"ENV={environment.name}` does all that a first deployment takes."
        )
    found = {
        stack.name: outputs.read(states, stack.name)
        for stack in kinds.stacks_for_environment(project, environment)
    }
    if name:
        print(outputs.text(outputs.one((each for of in found.values() for each in of or ()), name).value))
    elif as_json:
        print(json.dumps({stack: outputs.as_json(of or ()) for stack, of in found.items()}, indent=2))
    else:
        for line in outputs.lines(found):
            console.print(line)


@app.command()
@for_people
def doctor(env: Env = None, directory: Directory = HERE) -> None:
    """Look at tools, versions, locks, credentials, account and region, and say how to fix what is wrong."""
    from ops.look.doctor_aws import AwsChecks
    from ops.look.doctor_desk import desk_checks
    from ops.look.doctor_terraform import terraform_checks

    checkout = Checkout(directory.absolute())
    try:
        platform = read_platform(checkout.environments)
    except SettingsError:
        platform = None
    environment = environment_of(platform, env) if platform and env else None
    checks = (*desk_checks(checkout, SOURCE), *terraform_checks(checkout))
    of_aws = AwsChecks(checkout, platform, environment).checks() if platform else ()
    wrong = notes = 0
    for finding in doctors.examine(chain(checks, of_aws)):
        wrong += finding.level == "wrong"
        notes += finding.level == "note"
        _show(finding)
    console.print(f"\n{wrong} wrong, {notes} to note." if wrong or notes else "\nAll is well.")
    if wrong:
        raise typer.Exit(1)


def _jobs_of(environment: Environment) -> str:
    found = [name for name, service in environment.services.items() if service.kind == "job"]
    return f"use one of {', '.join(found)}." if found else f"{environment.name} has none."


def _show(finding: doctors.Finding) -> None:
    mark, colour = _MARKS[finding.level]
    first, *more = finding.text.splitlines() or [""]
    console.print(Text.assemble((mark, colour), f" {finding.name:<16} ", first))
    for line in more:
        console.print(Text(f"{'':19}{line}"))
    if finding.mend:
        console.print(Text(f"{'':19}-> {finding.mend}", "bold"))


def _complain(text: str) -> None:
    complaints.print(Text(text, "yellow"))


def _rfc_3339(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"no JSON for {type(value).__name__}")
    return rfc_3339(value)
