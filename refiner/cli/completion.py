"""`refiner completion`: what makes the shell complete commands and flags."""

import click

from refiner.cli import output


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, such as for: eval "$(refiner completion bash)"."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is not None:
        output.text(script(ctx.find_root().command, {}, "refiner", "_REFINER_COMPLETE").source())
