"""`reliability completion`: the lines by which a shell completes commands, options and their values."""

import click
from click.shell_completion import get_completion_class

from reliability_platform.cli.options import echo
from reliability_platform.errors import UsageError

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options and their values.

    bash: `eval "$(reliability completion bash)"` in ~/.bashrc (bash 4.4 or newer). zsh: the same with zsh, in ~/.zshrc. fish:
    `reliability completion fish > ~/.config/fish/completions/reliability.fish`.
    """
    from reliability_platform.cli.main import COMPLETES, cli

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for {shell}: choose one of {', '.join(SHELLS)}.")
    echo(kind(cli, {}, "reliability", COMPLETES).source())
