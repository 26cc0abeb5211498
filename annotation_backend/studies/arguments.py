"""The argument --study of commands: which study is meant, where there is more than one."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from annotation_backend.studies.models import Study
from annotation_backend.studies.services import find_study


def add_study(parser: ArgumentParser) -> None:
    """Adds --study."""
    parser.add_argument("--study", metavar="NAME", help="the study; may be left out where there is only one")


def add_study_of_code(parser: ArgumentParser) -> None:
    """Adds --study to a command whose code says the study already."""
    parser.add_argument("--study", metavar="NAME", help="the study that it must be of; the code alone says it as well")


def add_study_of_projects(parser: ArgumentParser) -> None:
    """Adds --study to a command that is about all studies where none is named."""
    parser.add_argument("--study", metavar="NAME", help="only this study (default: all of them)")


def study_said(options: Mapping[str, Any]) -> Study | None:
    """The study that was named; None where none was, since a code says which is meant or all are.

    Raises:
        RejectedInput: There is none of that name (``study-unknown``).
    """
    return find_study(options["study"]) if options["study"] else None


def study_of(options: Mapping[str, Any]) -> Study:
    """The study that a command is about.

    Raises:
        RejectedInput: There is none of that name (``study-unknown``), none at all (``study-none``), or several and none
            was named (``study-unsaid``).
    """
    return find_study(options["study"])


def study_among(options: Mapping[str, Any]) -> Study | None:
    """The study whose cases a command is about; None where cases are named, whose codes no other study has.

    Raises:
        RejectedInput: As `study_of`, where no cases are named.
    """
    return None if options["case"] and not options["study"] else study_of(options)
