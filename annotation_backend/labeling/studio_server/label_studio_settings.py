# mypy: ignore-errors
"""Label Studio's own settings with a SQLite that waits for its turn, and with our door before all its pages.
Read by Label Studio's process only.

Its transactions begin as readers there. One that then writes while another has written fails at once ("database is
locked", no timeout helps), and Label Studio answers that by running the whole request again: a submit whose draft could
not be removed is stored twice (measured: 1 of 19 saves of six annotators). Transactions that begin as writers wait.

While its settings are read, Label Studio asks Django for some of them; those must be in this module by then.
"""

from core.settings.base import *  # noqa: F403

SENTRY_DSN = ""

from label_studio.core.settings.label_studio import *  # noqa: E402, F403
from label_studio.core.settings.label_studio import DATABASES, MIDDLEWARE  # noqa: E402

from annotation_backend.labeling.studio_door import surroundings  # noqa: E402

_DOOR_STANDS_AFTER = "django.contrib.auth.middleware.AuthenticationMiddleware"
_JWT = "jwt_auth.middleware.JWTAuthenticationMiddleware"

MIDDLEWARE = [one for one in MIDDLEWARE if one != _JWT]
MIDDLEWARE.insert(MIDDLEWARE.index(_DOOR_STANDS_AFTER) + 1, "annotation_backend.labeling.studio_door.door.Door")

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

ROOT_URLCONF = "annotation_backend.labeling.studio_server.label_studio_urls"

INSTALLED_APPS = [*INSTALLED_APPS, "annotation_backend.labeling.studio_door"]  # noqa: F405
DATA_MANAGER_CUSTOM_FILTER_EXPRESSIONS = "annotation_backend.labeling.studio_door.lists.as_shown"
LOGOUT_REDIRECT_URL = os.environ.get(surroundings.PAGES)  # noqa: F405
