"""Starting our Label Studio: its environment, its folder, its command."""

import os
import sys
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import email_of, first_password
from annotation_backend.environment import password_variable
from annotation_backend.labeling.studio.credentials import door_secret, service_url
from annotation_backend.labeling.studio_door import surroundings
from annotation_backend.labeling.studio_server import reach
from annotation_backend.web.web_worker import LARGEST_BODY
from datasets.errors import RejectedInput

THREADS = 16
"""Requests that Label Studio answers side by side; most of them wait for its database or for us."""

GRACE_SECONDS = 10
"""For requests that are being answered when it is stopped; `up` kills after 15 s."""

LARGEST_REQUEST_BYTES = 250 * 1024 * 1024
"""As Label Studio's own limit; tasks with their predictions come to it in one request."""

POSTGRESQL_SCHEMES = ("postgres", "postgresql")

_LIBPQ_VARIABLES = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
"""Options for which Label Studio has no setting; the PostgreSQL client reads them from its own environment."""


def data_folder() -> Path:
    """Folder of Label Studio's database."""
    return Path(settings.DATA_FOLDER) / "label_studio"


def is_ours() -> bool:
    """Whether its database can be opened from here: it lies in our folder, or .env names it."""
    return bool(settings.LABEL_STUDIO_DATABASE_URL) or any(data_folder().glob("*.sqlite3"))


def environment() -> dict[str, str]:
    """The process environment: first user and token, telemetry off, one private address allowed: our service's.

    Label Studio reads several of these only when its first user is created.

    Raises:
        ImproperlyConfigured: The administrator's first password is missing.
    """
    ours = {
        "DJANGO_SETTINGS_MODULE": "annotation_backend.labeling.studio_server.label_studio_settings",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_folder()),
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_USERNAME": email_of(Role.ADMINISTRATOR),
        "LABEL_STUDIO_PASSWORD": first_password(Role.ADMINISTRATOR),
        "LABEL_STUDIO_USER_TOKEN": settings.LABEL_STUDIO_TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        **reach.environment(service_url()),
        surroundings.SERVICE: service_url(),
        surroundings.PAGES: settings.MASKLOOP_URL,
        surroundings.SECRET: door_secret(),
        "LABEL_STUDIO_HOST": settings.LABEL_STUDIO_URL,
        "LABEL_STUDIO_CORS_ALLOWED_ORIGINS": settings.MASKLOOP_URL,
        "LABEL_STUDIO_SESSION_COOKIE_SECURE": str(int(settings.LABEL_STUDIO_URL.startswith("https://"))),
        LARGEST_BODY: str(LARGEST_REQUEST_BYTES),
    }
    return {**_without_ours(os.environ), **ours, **database_environment(settings.LABEL_STUDIO_DATABASE_URL)}


def database_environment(url: str) -> dict[str, str]:
    """Label Studio's own variables for a database address.

    Args:
        url: ``postgresql://user:password@host:port/name``, with ``?sslmode=`` and ``&sslrootcert=`` where the database
            asks for them; empty for SQLite in our data folder.

    Raises:
        RejectedInput: Something else (``label-studio-database``).
    """
    if not url:
        return {}
    try:
        parts = urlsplit(url)
        options, port = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))), parts.port or 5432
    except ValueError as error:
        raise _not_a_database() from error
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in POSTGRESQL_SCHEMES or not parts.username or not name or options.keys() - _LIBPQ_VARIABLES:
        raise _not_a_database()
    return {
        "LABEL_STUDIO_DJANGO_DB": "default",
        "LABEL_STUDIO_POSTGRE_HOST": parts.hostname or "127.0.0.1",
        "LABEL_STUDIO_POSTGRE_PORT": str(port),
        "LABEL_STUDIO_POSTGRE_NAME": name,
        "LABEL_STUDIO_POSTGRE_USER": unquote(parts.username),
        "LABEL_STUDIO_POSTGRE_PASSWORD": unquote(parts.password or ""),
        **{_LIBPQ_VARIABLES[option]: value for option, value in options.items()},
    }


def _not_a_database() -> RejectedInput:
    return RejectedInput(
        "label-studio-database",
        "LABEL_STUDIO_DATABASE_URL is neither empty nor postgresql://user:password@host:port/name with no options but "
        f"{' and '.join(_LIBPQ_VARIABLES)}.",
        remedy="Correct it in .env; write a special character of the password as %XX.",
    )


def own_port() -> int:
    """The port of 127.0.0.1 on which the server listens."""
    return int(settings.LABEL_STUDIO_PORT or urlsplit(settings.LABEL_STUDIO_URL).port or 80)


def command() -> list[str]:
    """The command that starts the server on `own_port`: one process, because Label Studio's own database is one file.

    It is set up before its process is divided from gunicorn's (``--preload``): a first start takes minutes, and
    gunicorn would take a worker that long for a dead one.
    """
    return [
        str(Path(sys.executable).parent / "gunicorn"),
        *("annotation_backend.labeling.studio_server.label_studio_wsgi", "--preload"),
        *("--bind", f"127.0.0.1:{own_port()}", "--workers", "1", "--threads", str(THREADS), "--backlog", "128"),
        *("--worker-class", "annotation_backend.web.web_worker.PatientWorker", "--timeout", "180"),
        *("--graceful-timeout", str(GRACE_SECONDS)),
        *("--log-level", "warning", "--no-control-socket", "--umask", "0077"),
    ]


def _without_ours(environment: os._Environ[str]) -> dict[str, str]:
    """The environment without our secrets and our settings module, which Label Studio must not get."""
    ours = (
        *("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "SECRET_KEY", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"),
        *("LABEL_STUDIO_TOKEN", "LABEL_STUDIO_URL", "LABEL_STUDIO_DATABASE_URL"),
    )
    prefixes, passwords = ("MASKLOOP_", "ML_BACKEND_"), tuple(password_variable(role.value) for role in Role)
    return {
        name: value
        for name, value in environment.items()
        if name not in ours and not name.startswith(prefixes) and name not in passwords
    }
