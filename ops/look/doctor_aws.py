"""The doctor's checks of AWS: endpoint, credentials, account, state bucket, prerequisites, GitHub's roles."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError

from ops.core.checkout import Checkout
from ops.core.clients import GET_KEYS, REFUSALS, SIGN_IN, ambient_client, ambient_region
from ops.core.errors import OpsError
from ops.github.oidc_provider import manages_oidc_provider, missing_ids, oidc_provider_problem
from ops.look.doctor import Check, Finding, Level
from ops.terraform import account_checks, boundaries, locks, prerequisites
from ops.terraform.provision import working_root
from ops.terraform.states import StateBucket, states_of
from stacks.kinds import FOUNDATION, Stack, stacks_for_environment
from stacks.naming import github_provider_arn, how_to_find_ids
from stacks.settings import Environment, Platform, Project


@dataclass
class AwsChecks:
    """Checks that build on each other: without an identity the others are left out.

    `environment` is the one to check for, if any.
    """

    checkout: Checkout
    platform: Platform
    environment: Environment | None
    account: str = ""

    def checks(self) -> Iterable[Check]:
        """Yields the checks, in order."""
        yield Check("AWS endpoint", lambda: endpoint(os.environ))
        yield Check("AWS credentials", self.identity)
        if self.account:
            yield Check("AWS account", self.belongs)
            yield Check("AWS region", self.region)
            yield Check("state bucket", self.states)
        if self.environment and self.account == self.environment.account_id:
            stacks = stacks_for_environment(self.platform.project, self.environment)
            for check, stack in prerequisites.of_stacks(stacks):
                yield Check(check.name, partial(self.prerequisite, check, stack))
            of_boundaries = boundaries.check(self.checkout)
            stack = of_boundaries.kind.of_environment(self.environment)
            yield Check(of_boundaries.name, partial(self.prerequisite, of_boundaries, stack))
        yield Check("GitHub ids", lambda: github_ids(self.platform.project))
        if self.account in self.platform.account_ids():
            yield Check("GitHub OIDC", self.oidc_provider)

    def identity(self) -> Iterator[Finding]:
        """Reports whose credentials these are."""
        name = "AWS credentials"
        region = self.environment.region if self.environment else self.platform.project.region
        try:
            found = ambient_client("sts", region).get_caller_identity()
        except NoCredentialsError:
            level: Level = "wrong" if self.environment else "note"
            yield Finding(
                name,
                level,
                "there are none; only make up works without, everything on AWS needs them",
                GET_KEYS,
            )
        except ProfileNotFound as error:
            yield Finding(
                name, "wrong", f"AWS_PROFILE: {error}", "aws configure list-profiles lists the profiles"
            )
        except (SSOError, TokenRetrievalError) as error:
            yield Finding(name, "wrong", str(error), "aws sso login")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            yield Finding(name, "wrong", REFUSALS.get(code, str(error)), SIGN_IN)
        except (AwsConnectionError, HTTPClientError) as error:
            mend = "Check the network, HTTPS_PROXY and AWS_ENDPOINT_URL."
            yield Finding(name, "wrong", f"AWS cannot be reached: {error}", mend)
        except BotoCoreError as error:
            yield Finding(name, "wrong", str(error), GET_KEYS)
        else:
            self.account = found["Account"]
            if found["Arn"].endswith(":root"):
                yield Finding(name, "note", f"{found['Arn']}: the account's root user", "Use a role instead.")
            else:
                yield Finding(name, "ok", found["Arn"])

    def belongs(self) -> Iterator[Finding]:
        """Reports whether the account is that of the environment, or of any."""
        name = "AWS account"
        project = self.platform.project
        here = [each.name for each in self.platform.environments.values() if each.account_id == self.account]
        if self.environment and self.environment.account_id != self.account:
            text = f"{self.account}; {self.environment.name} is in {self.environment.account_id}"
            yield Finding(name, "wrong", text, "Use that account's credentials (AWS_PROFILE, for example).")
        elif not here and self.account != project.account_id:
            text = f"{self.account}, which no file in environments/ names"
            yield Finding(name, "wrong", text, "Use another account's credentials, or change `account_id`.")
        else:
            of_project = [f"{project.name}'s own"] if self.account == project.account_id else []
            yield Finding(name, "ok", f"{self.account} ({', '.join((*of_project, *here))})")

    def region(self) -> Iterator[Finding]:
        """Reports whether the AWS CLI's region is that of the environment, which make's commands use."""
        name = "AWS region"
        wanted = self.environment.region if self.environment else self.platform.project.region
        found = ambient_region()
        if found is None:
            text = f"none is set; make's commands use {wanted}, the AWS CLI by itself needs it"
            yield Finding(name, "note", text, f"export AWS_REGION={wanted}")
        elif found != wanted:
            text = f"{found} is set; make's commands use {wanted}, the AWS CLI by itself does not"
            yield Finding(name, "note", text, f"export AWS_REGION={wanted}")
        else:
            yield Finding(name, "ok", found)

    def states(self) -> Iterator[Finding]:
        """Reports whether the state bucket exists and can be read, and which states are locked."""
        name = "state bucket"
        states = states_of(self.platform.project)
        try:
            if not states.exists():
                env = self.environment.name if self.environment else "<environment>"
                text = f"{states.name} does not exist yet: nothing is deployed"
                yield Finding(name, "note", text, f"make bootstrap ENV={env}")
                return
            stacks = states.stacks()
            locked = list(state_locks(states))
        except OpsError as error:
            yield Finding(name, "wrong", str(error))
            return
        except ClientError as error:
            code = error.response["Error"]["Code"]
            yield Finding(name, "wrong", f"{states.name} cannot be read: {code}", "Use a role that may.")
            return
        yield Finding(name, "ok", f"{states.name} holds {', '.join(stacks) or 'no state yet'}")
        for lock in locked:
            remove = lock.command if lock.id else f"aws s3 rm {shlex.quote(f's3://{states.name}/{lock.key}')}"
            yield Finding(
                "state lock",
                "note",
                f"{lock.stack} is locked: {lock.held}",
                f"If that command has ended: {remove}",
            )

    def prerequisite(self, check: account_checks.Check, stack: Stack) -> Iterator[Finding]:
        """Reports what a check that commands make before they change anything finds."""
        found = check.remarks(self.platform, stack, ambient_client)
        for remark in found:
            level: Level = "wrong" if remark.level == "stops" else "note"
            yield Finding(check.name, level, remark.text, remark.mend)
        if not found:
            yield Finding(check.name, "ok", check.fine)

    def oidc_provider(self) -> Iterator[Finding]:
        """Reports whether the settings say the same as the account about GitHub's OIDC provider."""
        name, project = "GitHub OIDC", self.platform.project
        stack = FOUNDATION.of_account(project, self.account).name
        begun = working_root(self.checkout) / stack / "terraform.tfstate"
        try:
            is_managed = manages_oidc_provider(states_of(project), stack, begun)
            iam = ambient_client("iam", project.region)
            problem = oidc_provider_problem(project, self.account, iam, is_managed)
        except (ClientError, OpsError) as error:
            yield Finding(name, "note", f"{github_provider_arn(self.account)} could not be checked: {error}")
            return
        if problem:
            yield Finding(name, "wrong", problem)
        else:
            yield Finding(name, "ok", "the settings and the account agree")


def github_ids(project: Project) -> Iterator[Finding]:
    """Reports whether the settings have GitHub's ids of the repository."""
    if told := missing_ids(project):
        yield Finding("GitHub ids", "note", told, f"Set them: {how_to_find_ids(project)}.")
    else:
        yield Finding("GitHub ids", "ok", f"{project.repository_owner_id}, {project.repository_id}")


def endpoint(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Reports where requests go if not to AWS."""
    named = {name: value for name, value in sorted(variables.items()) if name.startswith("AWS_ENDPOINT_URL")}
    if named and variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        shown = ", ".join(f"{name}={value}" for name, value in named.items())
        yield Finding("AWS endpoint", "note", f"{shown}: this is not AWS itself", f"unset {' '.join(named)}")
    else:
        yield Finding("AWS endpoint", "ok", "AWS itself")


def state_locks(states: StateBucket) -> Iterator[locks.StateLock]:
    """Yields the lock of each state that is locked."""
    for stack in states.locked():
        try:
            found = locks.read(states, stack)
        except ClientError:
            found = locks.StateLock(stack), ""
        if found:
            yield found[0]
