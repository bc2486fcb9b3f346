"""`python -m diagram STACK...`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from diagram import DiagramError, diagram, fenced


def draw(
    stacks: Annotated[
        list[Path],
        typer.Argument(
            metavar="STACK...",
            help="The Terraform JSON of an environment's stacks, such as cdktf.out/stacks/dev-*/cdk.tf.json.",
        ),
    ],
) -> None:
    """Print a diagram of an environment as a Mermaid block in Markdown, which GitHub draws."""
    try:
        text = fenced(diagram(_configurations(stacks)))
    except DiagramError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from None
    # As UTF-8, whatever the terminal's locale.
    sys.stdout.buffer.write(text.encode())


def _configurations(files: Sequence[Path]) -> dict[str, Mapping[str, Any]]:
    """Reads the Terraform JSON of each stack, named by its folder when the file is `cdk.tf.json`."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in files:
        name = file.absolute().parent.name if file.name == "cdk.tf.json" else file.name.split(".")[0]
        try:
            content = json.loads(file.read_bytes())
        except OSError as error:
            raise DiagramError(f"{file}: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            raise DiagramError(f"{file}: is not Terraform JSON") from None
        if name in found:
            raise DiagramError(f"{file}: there is another stack called {name}; name each file once")
        found[name] = content
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command; exit status 2 for what cannot be drawn."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(draw)
    app(arguments, prog_name="python -m diagram")


if __name__ == "__main__":
    main()
