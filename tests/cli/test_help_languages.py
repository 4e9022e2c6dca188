"""The help of every command and of every option stands in Uzbek, Russian and English."""

import re
import sys
from importlib import import_module

import click
import pytest

import payme.cli

# Commands to copy, and lists of names, which are the same in every language.
EXAMPLE = re.compile(r"(fish +)?payme [a-z-]+ .*|eval .*|--account order_id=.*|--reason 5")
NAMES = re.compile(r"ACTION  .*|[A-Z_, ]+|(name +)?\S+=\S+( \S+=\S+)*")
SAME = {
    # Kinds of differences of an audit, as the JSON calls them.
    "only payme", "only ledger", "only merchant", "not performed", "not paid", "not returned",
}  # fmt: skip
ENGLISH = re.compile(r"\b(the|is|are|was|of|and|or|when|with|that|which|it|not|if|this)\b")
RUSSIAN = re.compile(r"[а-яё]", re.IGNORECASE)


def helps(command, path):
    """Yield every text of the help of a command and of those below it."""
    context = click.Context(command)
    yield path, command.help
    for option in command.params:
        # What click writes beside `--version` is translated with the frame of the help.
        if isinstance(option, click.Option) and option.name != "version":
            yield (*path, option.opts[0]), option.help
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from helps(command.get_command(context, name), (*path, name))


@pytest.fixture(scope="module")
def said():
    """The help in each language: it is chosen when the modules of the commands are imported."""
    kept = {name: module for name, module in sys.modules.items() if is_ours(name)}
    texts = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payme, "cli", payme.cli)
        for language in ("uz", "ru", "en"):
            patch.setenv("PAYME_LANG", language)
            forget()
            commands = import_module("payme.cli.commands")
            texts[language] = dict(helps(commands.payme, ("payme",)))
            for name, lazy in commands.COMMANDS.items():
                texts[language]["payme", name, "in the list"] = getattr(lazy, language)
        forget()
        sys.modules.update(kept)
    return texts


def is_ours(name):
    return name == "payme.cli" or name.startswith("payme.cli.")


def forget():
    for name in [name for name in sys.modules if is_ours(name)]:
        del sys.modules[name]


def lines(text):
    """Cut a help into lines, without what is the same in every language."""
    for line in text.splitlines():
        told = line.strip(" \b")
        for name in SAME:
            told = told.removeprefix(name)
        if told and not EXAMPLE.fullmatch(told) and not NAMES.fullmatch(told):
            yield told.strip()


def test_every_command_and_option_has_its_help(said):
    assert said["uz"].keys() == said["ru"].keys() == said["en"].keys()
    assert len(said["en"]) > 200
    assert [where for texts in said.values() for where, text in texts.items() if not text] == []


@pytest.mark.parametrize("language", ["uz", "ru"])
def test_no_line_of_it_is_left_in_english(said, language):
    english = {line for text in said["en"].values() for line in lines(text)}
    left = [
        (" ".join(where), line)
        for where, text in said[language].items()
        for line in lines(text)
        if line in english or ENGLISH.search(line)
    ]
    assert left == []


def test_each_language_has_its_letters(said):
    assert [where for where, text in said["ru"].items() if not RUSSIAN.search(text)] == []
    assert [where for where, text in said["uz"].items() if RUSSIAN.search(text)] == []
