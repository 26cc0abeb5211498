#!/usr/bin/env python
"""Maskloop's command line: `python manage.py help` lists the commands."""

import os
import sys

NOT_FIT = 3
"""Exit status of an environment that is not fit."""


def main() -> None:
    """Runs a management command; what it writes is its owner's alone."""
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NOT_FIT)


if __name__ == "__main__":
    main()
