#!/usr/bin/env python
"""Maskloop's command line: `python manage.py help` lists the commands."""

import os
import sys

NOT_FIT = 3
"""Exit status of an environment that is not fit."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

WITHOUT_INSTALLATION = ("check_protocol", "compare_releases", "convert_export", "convert_medsam",
                        "create_study", "evaluate_model", "export_release", "fetch_release", "list_studies",
                        "migrate", "pack_release", "report_models", "segment_volume", "train_model",
                        "upload_errata", "upload_release", "verify_release", "verify_withdrawal")  # fmt: skip
"""Commands that work in a fresh checkout, where nobody needs a secret yet: on files, or on an empty database."""


def _draw_passing_secrets() -> None:
    """Secrets for this process alone, where there is no `.env`; nothing that they protect outlives it."""
    from annotation_backend.environment import ENV_FILE, fresh_environment

    if not ENV_FILE.exists():
        for name, value in fresh_environment().items():
            os.environ.setdefault(name, value)


def _execute() -> None:
    """Runs the command; what is wrong with the environment is one line, whatever command it is."""
    if sys.argv[1:2] and sys.argv[1] in WITHOUT_INSTALLATION:
        _draw_passing_secrets()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NOT_FIT)
    except Error:
        sys.stderr.write("The database is not there or of another version. Run `make up` first. [database]\n")
        sys.exit(NOT_FIT)


def main() -> None:
    """Runs a management command; what it writes is its owner's alone."""
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
    try:
        _execute()
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What was whole is kept; run the command again to go on. [interrupted]\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
