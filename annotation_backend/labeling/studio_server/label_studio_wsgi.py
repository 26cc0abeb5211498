# mypy: ignore-errors
"""WSGI entry point of Label Studio's own process: what `label-studio start` does before it serves, by its functions.

Its database is migrated where an earlier version made it, and the administrator's account is there. `start` itself
would go on to Django's development server.
"""

from label_studio import server

server._setup_env()
server._apply_database_migrations()
server._create_user(server.parse_input_args(["start", "--no-browser"]), {})

from core.wsgi import application  # noqa: E402, F401
from django.db import connections  # noqa: E402

connections.close_all()
"""gunicorn divides its process next, and an open connection must not be in both."""
