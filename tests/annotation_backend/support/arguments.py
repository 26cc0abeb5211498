"""What a command's parser takes, which argparse tells by private names that never changed; and a command as typed."""

import json
from argparse import Action, ArgumentParser
from collections.abc import Iterator
from io import StringIO
from typing import Any

from django.core.management import call_command


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


def run_command(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """Exit status, the one JSON document on stdout, and what people read."""
    out, err, status = StringIO(), StringIO(), 0
    try:
        call_command(*map(str, arguments), "--json", stdout=out, stderr=err)
    except SystemExit as left:
        status = int(left.code or 0)
    return status, json.loads(out.getvalue()), err.getvalue()
