"""Settings in, a directory of Terraform JSON out."""

import shutil
import tempfile
from pathlib import Path

from stacks.bindings import App
from stacks.foundation import FoundationStack
from stacks.network import NetworkStack
from stacks.service import ServiceStack
from stacks.settings import Platform


def synthesize(platform: Platform, outdir: Path) -> None:
    """Write every stack of the platform as `<outdir>/stacks/<stack>/cdk.tf.json`, and a manifest.

    All is written beside `outdir` first and then swapped in: whatever fails, what was there stays.
    """
    outdir.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{outdir.name}-", dir=outdir.parent))
    try:
        fresh = aside / "new"
        app = App(outdir=str(fresh))
        for account_id in platform.account_ids():
            FoundationStack(app, platform, account_id)
        for environment in platform.environments.values():
            network = NetworkStack(app, platform.project, environment)
            ServiceStack(app, platform.project, environment, network)
        app.synth()
        if outdir.exists():
            outdir.rename(aside / "former")
        fresh.rename(outdir)
    finally:
        if (aside / "former").exists() and not outdir.exists():
            (aside / "former").rename(outdir)
        shutil.rmtree(aside)
