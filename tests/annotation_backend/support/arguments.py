"""What a command's parser takes. Argparse tells it by private names alone, which have not changed since it exists."""

from argparse import Action, ArgumentParser
from collections.abc import Iterator


def actions_of(parser: ArgumentParser) -> list[Action]:
    """All arguments of a parser, argparse's own among them."""
    return list(parser._actions)


def choices_of_one(parser: ArgumentParser) -> Iterator[list[Action]]:
    """The options of each group of which exactly one has to be given."""
    yield from (group._group_actions for group in parser._mutually_exclusive_groups if group.required)


def ways_of(parser: ArgumentParser) -> Iterator[tuple[list[str], ArgumentParser]]:
    """The words that lead to each set of arguments: none, or those of a command's ways."""
    below = [action.choices for action in actions_of(parser) if isinstance(action.choices, dict)]
    if not below:
        yield [], parser
    for ways in below:
        yield from (([way], each) for way, each in ways.items())
