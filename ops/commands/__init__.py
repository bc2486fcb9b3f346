"""The commands: `python -m ops COMMAND`, one for each `make` target that needs more than a tool.

One file for each package of `ops`, with arguments and output only.
"""

import typer

from ops.commands import github, images, incidents, local, look, releases, rollout, terraform

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
for commands in (terraform, github, images, releases, rollout, look, incidents, local):
    app.add_typer(commands.app)
