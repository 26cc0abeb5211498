"""The page of all commands: what each one's `--help` says, without what all of them share."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import BaseCommand, load_command_class

from annotation_backend.environment import fresh_environment

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "annotation_backend"
WIDTH = 88
"""Letters in a line of help, so that a page beside a list of contents need not be moved sideways."""

INTRODUCTION = """\
# Commands

`.venv/bin/python manage.py <command>`, after a first `make setup`; most also need the records that `make up` made.
This page is made of the commands' own `--help`.

All but `db_worker` and `migrate` take `--json`: one JSON document on stdout, and the words for people on stderr. Those
with `--dry-run` then only say what they would do. None asks a question.

| exit status | means |
| --- | --- |
| 0 | done |
| 1 | done, but with findings: read them |
| 2 | wrong usage, or refused input |
| 3 | the environment is not fit: a setting, a service or the database |
| 130 | stopped with Ctrl-C; what was whole is kept |
"""

DJANGOS_OWN = {
    "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color",
}  # fmt: skip
"""Options that Django gives every command; nobody needs them here."""


def commands_page() -> str:
    """The page, as Markdown."""
    _set_up_django()
    parts = [INTRODUCTION]
    for app, names in _commands().items():
        parts += [f"## {app.rpartition('.')[2].capitalize() if '.' in app else 'Maskloop'}", _head_of(app)]
        parts += [_section(app, name) for name in names]
    return "\n\n".join(parts) + "\n"


def _set_up_django() -> None:
    """No command is run, so secrets that last as long as the process do."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
    for name, value in fresh_environment().items():
        os.environ.setdefault(name, value)
    django.setup()


def _commands() -> dict[str, list[str]]:
    """The app's full name to its commands; the project's own first, then the apps in the order of the loop."""
    found = {_app_of(folder): _names_in(folder) for folder in _folders()}
    return {app: names for app, names in found.items() if names}


def _folders() -> Iterator[Path]:
    from django.apps import apps

    for config in apps.get_app_configs():
        if Path(config.path).is_relative_to(PROJECT):
            yield Path(config.path) / "management" / "commands"


def _app_of(folder: Path) -> str:
    return ".".join(folder.parents[1].relative_to(ROOT).parts)


def _names_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def _head_of(app: str) -> str:
    return (importlib.import_module(app).__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _section(app: str, name: str) -> str:
    command = load_command_class(app, name)
    words = " ".join((command.__doc__ or "").partition("\n\n")[0].split())
    return f"### {name}\n\n{words}\n\n```text\n{_help_of(command, name)}\n```"


def _help_of(command: BaseCommand, name: str) -> str:
    """Its help, and that of each command below it."""
    command.suppressed_base_arguments, command.requires_system_checks = DJANGOS_OWN, []
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        parser = command.create_parser("manage.py", name)
        below = [
            each for action in parser._actions if isinstance(action.choices, dict) for each in action.choices.values()
        ]
        return "\n\n".join(each.format_help().strip() for each in (parser, *below))
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
