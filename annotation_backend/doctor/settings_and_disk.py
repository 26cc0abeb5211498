"""Links of the configuration: checks of the settings, the data folder and the database alone."""

import os
import re
import shutil
import stat
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from annotation_backend.environment import ENV_FILE
from annotation_backend.labeling.studio.credentials import service_url
from datasets.errors import RejectedInput, TryAgain

LEAST_FREE_BYTES = 1_000_000_000
"""Less free space than this fills up while a cohort is exported."""

_LEGACY_TOKEN = re.compile(r"[0-9a-f]{40}")


def addresses() -> None:
    """Both addresses are whole, differ, open in a browser side by side, and ours is one that we answer to."""
    ours, theirs = urlsplit(settings.MASKLOOP_URL), urlsplit(settings.LABEL_STUDIO_URL)
    for name, parts in (("MASKLOOP_URL", ours), ("LABEL_STUDIO_URL", theirs)):
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
            raise RejectedInput(
                "address",
                f"{name} is not like https://host:port without a path.",
                remedy="Correct it in .env and restart.",
            )
    if urlsplit(service_url()).scheme not in ("http", "https") or not urlsplit(service_url()).hostname:
        raise RejectedInput(
            "address",
            "ML_BACKEND_URL is neither empty nor like http://host:port.",
            remedy="Correct it in .env, or leave it out, and restart.",
        )
    if ours.netloc == theirs.netloc:
        raise RejectedInput(
            "address-twice", "Both services have one address.", remedy="Give each a port or a name of its own in .env."
        )
    if theirs.scheme == "https" and ours.scheme == "http":
        raise RejectedInput(
            "address-mixed",
            "Label Studio is on https and the pictures are on http: browsers refuse them.",
            remedy="Put both behind TLS and set MASKLOOP_URL to https.",
        )
    allowed = settings.ALLOWED_HOSTS
    if not any(_matches(str(ours.hostname), pattern) for pattern in allowed):
        raise RejectedInput(
            "address-not-allowed",
            "Our own address is not among those we answer to.",
            remedy="Add the host of MASKLOOP_URL to MASKLOOP_ALLOWED_HOSTS in .env and restart.",
        )


def secrets() -> None:
    """Label Studio's token has the form that the server takes, and nobody else on the machine reads `.env`."""
    if not _LEGACY_TOKEN.fullmatch(settings.LABEL_STUDIO_TOKEN):
        raise RejectedInput(
            "token-form",
            "LABEL_STUDIO_TOKEN is no legacy token of 40 hexadecimal digits.",
            remedy="Take the administrator's legacy token from Account & Settings in Label Studio.",
        )
    values = [settings.SECRET_KEY, settings.LABEL_STUDIO_TOKEN, settings.ML_BACKEND_PASSWORD]
    if len(set(values)) < len(values):
        raise RejectedInput(
            "secret-twice", "Two secrets are one and the same.", remedy="Draw another for one of them in .env."
        )
    if ENV_FILE.exists() and stat.S_IMODE(ENV_FILE.stat().st_mode) & 0o077:
        raise RejectedInput("secrets-open", "Others can read .env.", remedy="Run `chmod 600 .env`.")


def data_folder() -> None:
    """The data folder can be written, is private, and has room."""
    folder = settings.DATA_FOLDER
    if not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        raise RejectedInput(
            "data-folder",
            "The data folder is not there or cannot be written.",
            remedy="`make up` makes it; where .env says another with MASKLOOP_DATA, see whether that is right.",
        )
    if stat.S_IMODE(folder.stat().st_mode) & 0o007:
        raise RejectedInput(
            "data-folder-open", "Everybody on this machine can open the data folder.", remedy="Run `chmod 700` on it."
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise TryAgain(
            "disk-full",
            f"Expected {LEAST_FREE_BYTES / 1e9:.0f} GB free for the data folder, got {free / 1e9:.1f} GB.",
            remedy="Make room or move the data folder.",
        )


def database() -> None:
    """The database answers and has all migrations of this version."""
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        raise TryAgain(
            "database-down",
            "The database is not there or does not answer.",
            remedy="`make up` makes it; where .env names one with DATABASE_URL, is that right, and is it running?",
        ) from error
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RejectedInput(
            "migrations-missing",
            "The database is empty or of another version.",
            remedy="Run `make up`, or `manage.py migrate` alone.",
        )


def _matches(host: str, pattern: str) -> bool:
    suffix = pattern.startswith(".") and (host == pattern[1:] or host.endswith(pattern))
    return pattern == "*" or host == pattern or suffix
