"""Settings in, a directory of Terraform JSON out."""

import shutil
import tempfile
from pathlib import Path

from stacks import kinds
from stacks.bindings import App
from stacks.data import DataStack
from stacks.foundation import FoundationStack
from stacks.network import NetworkStack
from stacks.service import ServiceStack
from stacks.settings import Environment, Platform


def synthesize(platform: Platform, outdir: Path) -> None:
    """Write every stack of the platform as `<outdir>/stacks/<stack>/cdk.tf.json`, and a manifest.

    All is written beside `outdir` first and then swapped in: whatever fails, what was there stays.
    """
    outdir.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{outdir.name}-", dir=outdir.parent))
    try:
        fresh = aside / "new"
        app = App(outdir=str(fresh))
        _create_stacks(app, platform)
        app.synth()
        if outdir.exists():
            outdir.rename(aside / "former")
        fresh.rename(outdir)
    finally:
        if (aside / "former").exists() and not outdir.exists():
            (aside / "former").rename(outdir)
        shutil.rmtree(aside)


def _create_stacks(app: App, platform: Platform) -> None:
    project = platform.project
    for stack in kinds.stacks(platform):
        match stack:
            case kinds.Stack(kind=kinds.FOUNDATION):
                FoundationStack(app, platform, stack.account_id)
            case kinds.Stack(kind=kinds.NETWORK, environment=Environment() as environment):
                NetworkStack(app, project, environment)
            case kinds.Stack(kind=kinds.DATA, environment=Environment() as environment):
                DataStack(app, project, environment)
            case kinds.Stack(kind=kinds.SERVICE, environment=Environment() as environment):
                ServiceStack(app, project, environment)
            case _:
                # A row of `KINDS` that has no class yet: its stacks must not be left out silently.
                raise NotImplementedError(f"no class creates stacks of the kind {stack.kind.name}")
