"""`payme completion`: what a shell reads to complete commands and options."""

import json

import click
from click.shell_completion import get_completion_class

from payme.cli import options
from payme.cli.words import tell


@click.command(
    "completion",
    help=tell(
        """Shell uchun toʻldirish skriptini chiqarish.

        \b
          bash  eval "$(payme completion bash)"       ~/.bashrc ga
          zsh   eval "$(payme completion zsh)"        ~/.zshrc ga
          fish  payme completion fish > ~/.config/fish/completions/payme.fish""",
        """Вывести скрипт автодополнения для оболочки.

        \b
          bash  eval "$(payme completion bash)"       в ~/.bashrc
          zsh   eval "$(payme completion zsh)"        в ~/.zshrc
          fish  payme completion fish > ~/.config/fish/completions/payme.fish""",
        """Print the completion script of a shell.

        \b
          bash  eval "$(payme completion bash)"       in ~/.bashrc
          zsh   eval "$(payme completion zsh)"        in ~/.zshrc
          fish  payme completion fish > ~/.config/fish/completions/payme.fish""",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.as_json
def completion(*, shell: str, as_json: bool) -> None:
    """Print a script; what the user reads about it is above."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows the three
    root = click.get_current_context().find_root().command
    script = kind(root, {}, "payme", "_PAYME_COMPLETE").source()
    click.echo(json.dumps({"shell": shell, "script": script}) if as_json else script)
