"""`completion bash|zsh|fish`: prints what the shell is to load. The same command in both programs."""

from __future__ import annotations

import click

from mezite.cli.flags import example


@click.command(
    epilog=example(
        'eval "$(msh completion bash)"',
        "msh completion fish > ~/.config/fish/completions/msh.fish",
        "mezctl completion zsh > ~/.zfunc/_mezctl",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import ShellComplete, get_completion_class

    root = ctx.find_root()
    kind = get_completion_class(shell)
    assert kind is not None
    name = root.info_name or "msh"
    complete = kind(root.command, {}, name, f"_{name.upper().replace('-', '_')}_COMPLETE")
    # The base class's own: bash's override starts whatever bash is here to ask for its version.
    click.echo(ShellComplete.source(complete))
