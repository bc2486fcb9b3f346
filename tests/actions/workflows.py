"""Plays jobs of workflows: their conditions, their order, and their steps, run by bash as they are written.

Only what checks out and prepares is left out, since the machine is prepared already. GitHub's part is
played as far as the workflows see it: variables, outputs, artifacts, and a token that says which job
asks for it. Whoever reviews environments approves at once; what was asked is remembered.
Source: GitHub Docs, "Workflow syntax for GitHub Actions", "OpenID Connect reference".
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.actions.expressions import Contexts, filled, holds
from tests.ops.github_tokens import TokenEndpoint

PREPARATION = ("actions/checkout@", "actions/cache@", "./.github/actions/")
UPLOAD, DOWNLOAD = "actions/upload-artifact@", "actions/download-artifact@"
BUILDX = "docker/setup-buildx-action@"


@dataclass(frozen=True)
class Event:
    """What set a workflow off. `subject` is how a job without an environment is called in its token."""

    name: str
    subject: str
    sha: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """What became of a job. `result` is success, failure or skipped; `said` all that its steps printed."""

    result: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    said: str = ""


@dataclass
class Runner:
    """Runs the workflows of a checkout.

    `variables` are the machine's, `configured` the repository's, `identity` is what the token of a job in an
    environment calls the repository, by default its name. `asked_for` grows by the environments
    whose reviewers were asked, `summaries` is what the jobs' summaries say.
    """

    checkout: Path
    scratch: Path
    repository: str
    tokens: TokenEndpoint
    github_token: str
    variables: Mapping[str, str]
    configured: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    asked_for: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    runs: int = 0

    def play(self, file: str, event: Event, *, done: Sequence[str] = ()) -> dict[str, Played]:
        """Play a workflow; the jobs in `done` count as having succeeded. Jobs by name, as `caller/job`."""
        self.runs += 1
        return self._workflow(file, event, done, {})

    def _workflow(
        self, file: str, event: Event, done: Sequence[str], inputs: Mapping[str, str]
    ) -> dict[str, Played]:
        flow = yaml.safe_load((self.checkout / ".github/workflows" / file).read_text())
        ended: dict[str, Played] = {}
        for name, job in flow["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            status = "success" if all(ended[each].result == "success" for each in needs) else "failure"
            contexts = {
                "github": self._github(event),
                "vars": dict(self.configured),
                "inputs": dict(inputs),
                "needs": {
                    each: {"result": ended[each].result, "outputs": ended[each].outputs} for each in needs
                },
                "job": {"status": status},
                "steps": {},
                "runner": {"os": "Linux"},
            }
            if name in done:
                ended[name] = Played("success")
            elif not holds(job.get("if", "success()"), contexts):
                ended[name] = Played("skipped")
            elif "uses" in job:
                called = job["uses"].removeprefix("./.github/workflows/")
                inner = self._workflow(called, event, (), filled(job.get("with", {}), contexts))
                failed = [each for each, played in inner.items() if played.result == "failure"]
                ended |= {f"{name}/{each}": played for each, played in inner.items()}
                ended[name] = Played("failure" if failed else "success")
            else:
                ended[name] = self._job(name, job, event, contexts)
        return ended

    def _job(self, name: str, job: Any, event: Event, contexts: Contexts) -> Played:
        subject = event.subject
        if "environment" in job:
            environment = filled({"name": job["environment"]}, contexts)["name"]
            self.asked_for.append(environment)
            subject = f"repo:{self.identity or self.repository}:environment:{environment}"
        variables = self._machine(event) | filled(job.get("env", {}), contexts)
        if job["permissions"].get("id-token") == "write":
            self.subjects.append(subject)
            self.tokens.subject = subject
            variables |= self.tokens.variables() | {"GITHUB_RUN_ID": str(self.runs)}
        found: dict[str, Any] = {**contexts, "job": {"status": "success"}}
        said = ""
        for number, step in enumerate(job["steps"]):
            if not holds(step.get("if", "success()"), found):
                continue
            if "uses" in step:
                outputs, failed = self._action(step["uses"], filled(step.get("with", {}), found)), False
            else:
                own = variables | filled(step.get("env", {}), found)
                outputs, failed, more = self._script(f"{self.runs}-{name}-{number}", step["run"], own)
                said += more
            if "id" in step:
                found["steps"] = {**found["steps"], step["id"]: {"outputs": outputs}}
            if failed:
                found["job"] = {"status": "failure"}
        return Played(found["job"]["status"], filled(job.get("outputs", {}), found), said)

    def _script(
        self, name: str, script: str, variables: Mapping[str, str]
    ) -> tuple[dict[str, str], bool, str]:
        """A step's outputs, whether it failed, and what it printed."""
        output, summary = (self.scratch / f"{name}.{kind}" for kind in ("output", "summary"))
        output.touch()
        ran = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.checkout,
            env={**variables, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return outputs, ran.returncode != 0, f"$ {script}\n{ran.stdout}"

    def _action(self, action: str, given: Mapping[str, str]) -> dict[str, str]:
        """The outputs of an action."""
        if action.startswith(UPLOAD):
            there = self.scratch / "artifacts" / given["name"]
            there.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.checkout / given["path"], there)
        elif action.startswith(DOWNLOAD):
            artifact = self.scratch / "artifacts" / given["name"]
            shutil.copytree(artifact, self.checkout / given["path"], dirs_exist_ok=True)
        elif action.startswith(BUILDX):
            return {"name": "builder"}
        else:
            assert action.startswith(PREPARATION), f"nobody plays {action}"
        return {}

    def _machine(self, event: Event) -> dict[str, str]:
        """The variables of a runner: this machine's, without what says who we are."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "GITHUB_", "ACTIONS_", "MAKE", "MFLAGS"))
        }
        return {
            **kept,
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "a-maintainer",
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_RUN_ID": str(self.runs),
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_SHA": event.sha,
            **self.variables,
        }

    def _github(self, event: Event) -> dict[str, Any]:
        return {
            "event_name": event.name,
            "event": dict(event.payload),
            "repository": self.repository,
            "run_id": str(self.runs),
            "sha": event.sha,
            "token": self.github_token,
        }
