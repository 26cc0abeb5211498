"""Settings of the Django project, read from the environment and the private `.env`; no secret has a default.

The docstring below a setting says what it is for and gives an example; the page of settings is made of them
(`docs/hooks/settings_page.py`).
"""

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from annotation_backend import configured
from annotation_backend.environment import (
    ENV_FILE,
    LISTENER_FOR_LABEL_STUDIO,
    ROOT,
    UnreadableEnvironment,
    read_environment,
)
from annotation_backend.web.log_filters import without_picture_addresses

if ENV_FILE.exists():
    try:
        for _name, _value in read_environment().items():
            os.environ.setdefault(_name, _value)
    except UnreadableEnvironment as error:
        raise ImproperlyConfigured(str(error)) from error

SECRET_KEY = configured.secret("MASKLOOP_SECRET_KEY")
"""Signs sessions and forms, and makes the secret with which Label Studio tells of saves. With another one everybody
signs in again, and the next `up` tells Label Studio."""
DEBUG = configured.flag("MASKLOOP_DEBUG")
"""Shows the place of an error in the browser. For development only: it shows settings and data to whoever
meets an error.
Example: ``MASKLOOP_DEBUG=true``"""

DATA_FOLDER = configured.folder("MASKLOOP_DATA", default=ROOT / "data")
"""Where everything lies that Maskloop keeps: records, images, masks, models, releases, logs, and Label Studio's own
data. Back it up together with `.env`. Machines that share the work see it at the same path.
Example: ``MASKLOOP_DATA=/srv/maskloop``"""
MASKLOOP_URL = configured.address("MASKLOOP_URL", default="http://127.0.0.1:8000")
"""Maskloop's address in the browsers of those who use it. With https, cookies are sent over TLS only.
Example: ``MASKLOOP_URL=https://maskloop.example.org``"""
LABEL_STUDIO_URL = configured.address("LABEL_STUDIO_URL", default="http://127.0.0.1:8080")
"""Label Studio's address in browsers, and for Maskloop.
Example: ``LABEL_STUDIO_URL=https://labels.example.org``"""
LABEL_STUDIO_PORT = configured.whole("MASKLOOP_LABEL_STUDIO_PORT", default=0, most=65_535)
"""Port of 127.0.0.1 for the Label Studio that `up` starts, where a proxy answers at LABEL_STUDIO_URL; 0 for the port
that stands there.
Example: ``MASKLOOP_LABEL_STUDIO_PORT=8081``"""
LABEL_STUDIO_DATABASE_URL = configured.text("LABEL_STUDIO_DATABASE_URL")
"""PostgreSQL for the Label Studio that `up` starts; SQLite in the data folder when empty. See decision 21.
Example: ``LABEL_STUDIO_DATABASE_URL=postgresql://studio:password@db.example.org:5432/label_studio``"""
LABEL_STUDIO_TOKEN = configured.secret("LABEL_STUDIO_TOKEN")
"""The administrator's token in Label Studio, with which Maskloop speaks to it; given to its first account."""
ML_BACKEND_USER = configured.text("ML_BACKEND_USER", default="label-studio")
"""The name with which Label Studio asks Maskloop for masks.
Example: ``ML_BACKEND_USER=label-studio``"""
ML_BACKEND_PASSWORD = configured.secret("ML_BACKEND_PASSWORD")
"""The password with which Label Studio asks Maskloop for masks."""
ML_BACKEND_URL = configured.address("ML_BACKEND_URL", default="")
"""Where Label Studio reaches this service; empty for a listener of its own on 127.0.0.2 where MASKLOOP_URL is on this
machine, and MASKLOOP_URL elsewhere. Label Studio may send to this one private address only; see decision 27.
Example: ``ML_BACKEND_URL=http://192.0.2.7:8000``"""

PICTURE_LIFETIME_DAYS = configured.whole("MASKLOOP_PICTURE_LIFETIME_DAYS", default=365, least=1, most=36_500)
"""How long a picture's address in a Label Studio task stays valid; `publish_tasks --renew` draws new ones.
Example: ``MASKLOOP_PICTURE_LIFETIME_DAYS=90``"""

WORKERS = configured.whole("MASKLOOP_WORKERS", default=0, most=512)
"""Processes that compute side by side on this machine; 0 for as many as there are cores and memory for.
Example: ``MASKLOOP_WORKERS=4``"""

WEB_PROCESSES = configured.whole("MASKLOOP_WEB_PROCESSES", default=0, most=512)
"""Processes of the web service; 0 for one a core as far as memory goes (4 GB each), at most 8, and one on a GPU.
Example: ``MASKLOOP_WEB_PROCESSES=2``"""

INFERENCE_THREADS = configured.whole("MASKLOOP_INFERENCE_THREADS", default=0, most=4096)
"""Threads that compute one answer of the web service that `up` starts; 0 for its cores shared out among its processes.
Where it is started otherwise, OMP_NUM_THREADS says so.
Example: ``MASKLOOP_INFERENCE_THREADS=4``"""

CACHE_MB = configured.whole("MASKLOOP_CACHE_MB", default=0, most=10_000_000)
"""What each process keeps of images, models and embeddings; 0 for its share of a quarter of the memory.
Example: ``MASKLOOP_CACHE_MB=4000``"""

EMBEDDINGS_GB = configured.number("MASKLOOP_EMBEDDINGS_GB", default=20.0, most=1e6)
"""Embeddings of slices that lie in the data folder at most, about 2 MB each; 0 for none.
Example: ``MASKLOOP_EMBEDDINGS_GB=50``"""

WAIT_SECONDS = configured.number("MASKLOOP_WAIT_SECONDS", default=4.0, most=3600.0)
"""How long a prompt may wait for others' answers; where it would take longer, it is refused at once with 503.
Example: ``MASKLOOP_WAIT_SECONDS=8``"""

DASK_SCHEDULER = configured.text("DASK_SCHEDULER")
"""Address of a Dask scheduler on which ingest, registration and export compute instead of on this machine; see
decision 9.
Example: ``DASK_SCHEDULER=tls://head:8786``"""

ALLOW_PLAIN_DASK = configured.flag("MASKLOOP_ALLOW_PLAIN_DASK")
"""Lets DASK_SCHEDULER be on another machine without TLS: anybody in that network can then have code run here.
Example: ``MASKLOOP_ALLOW_PLAIN_DASK=true``"""

SEND_DIGESTS = configured.flag("MASKLOOP_DIGESTS")
"""Lets `manage.py send_digests` and the reconciler send each person one e-mail a day with counts and links.
Example: ``MASKLOOP_DIGESTS=true``"""

ALLOWED_HOSTS = [
    *configured.words("MASKLOOP_ALLOWED_HOSTS", default=["127.0.0.1", "localhost"]),
    urlsplit(ML_BACKEND_URL).hostname or LISTENER_FOR_LABEL_STUDIO,
]
"""Names under which this service answers; a browser that asks under another is refused. Name MASKLOOP_URL's host, too.
Example: ``MASKLOOP_ALLOWED_HOSTS=maskloop.example.org,127.0.0.1``"""
CSRF_TRUSTED_ORIGINS = [MASKLOOP_URL]

TRUSTED_PROXIES = configured.whole("MASKLOOP_TRUSTED_PROXIES", default=0, most=32)
"""Proxies of yours before the service: so many entries at the end of X-Forwarded-For are believed, for the limit on
sign-ins. Without it everybody behind a proxy has its address, and one who guesses makes newcomers wait.
Example: ``MASKLOOP_TRUSTED_PROXIES=1``"""

_mail = configured.mail("MASKLOOP_EMAIL_URL")
"""The mail server that sends for Maskloop: links for forgotten passwords, invitations. Without one nothing is sent, and
an administrator hands out links.
Example: ``MASKLOOP_EMAIL_URL=smtp+tls://user:password@smtp.example.org:587``"""
EMAIL_IS_ON = bool(_mail)
EMAIL_BACKEND = _mail.get("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST", ""), _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_USER", ""), _mail.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = configured.text("MASKLOOP_EMAIL_FROM", default="maskloop@localhost")
"""The sender of Maskloop's e-mails.
Example: ``MASKLOOP_EMAIL_FROM=maskloop@example.org``"""

OIDC_ISSUER = configured.address("MASKLOOP_OIDC_ISSUER", default="")
"""Issuer of your OpenID Connect provider, at which people may sign in instead of with a password here; off when empty.
Its redirect address is MASKLOOP_URL followed by /accounts/oidc/oidc/login/callback/.
Example: ``MASKLOOP_OIDC_ISSUER=https://login.example.org/realms/hospital``"""
OIDC_CLIENT_ID = configured.text("MASKLOOP_OIDC_CLIENT_ID")
"""Maskloop's name at the OpenID Connect provider.
Example: ``MASKLOOP_OIDC_CLIENT_ID=maskloop``"""
OIDC_CLIENT_SECRET = configured.text("MASKLOOP_OIDC_CLIENT_SECRET")
"""Maskloop's secret at the OpenID Connect provider, as that drew it.
Example: ``MASKLOOP_OIDC_CLIENT_SECRET=what-the-provider-drew``"""
OIDC_NAME = configured.text("MASKLOOP_OIDC_NAME", default="your organisation")
"""What the sign-in page calls the provider: "Sign in with …".
Example: ``MASKLOOP_OIDC_NAME=the hospital's account``"""
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "MASKLOOP_OIDC_ISSUER needs MASKLOOP_OIDC_CLIENT_ID and MASKLOOP_OIDC_CLIENT_SECRET. Add both to .env."
    )

SECOND_FACTOR_ROLES = configured.choices(
    "MASKLOOP_SECOND_FACTOR_ROLES", among=("administrator", "data_manager", "radiologist", "annotator")
)
"""Roles whose people set up a second factor (an authenticator app or a passkey) before they see anything else, among
administrator, data_manager, radiologist and annotator; empty for whoever wants to.
Example: ``MASKLOOP_SECOND_FACTOR_ROLES=administrator,data_manager,radiologist``"""

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "annotation_backend",  # its db_worker goes before the one of django_tasks_db, its templates before allauth's
    "django_tasks",
    "django_tasks_db",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "annotation_backend.accounts",
    "annotation_backend.studies",
    "annotation_backend.cases",
    "annotation_backend.history",
    "annotation_backend.stages",
    "annotation_backend.registry",
    "annotation_backend.inference",
    "annotation_backend.labeling",
    "annotation_backend.review",
    "annotation_backend.readers",
    "annotation_backend.work",
    "annotation_backend.learning",
    "annotation_backend.publishing",
    "annotation_backend.audit",
]

MIDDLEWARE = [
    "annotation_backend.web.timing.server_timing",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "annotation_backend.web.refusals.nothing_is_kept",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "annotation_backend.accounts.second_factor.SecondFactorFirst",
    "annotation_backend.labeling.studio.web_patience.WebPatience",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "annotation_backend.web.refusals.NamedRefusals",
]

ROOT_URLCONF = "annotation_backend.urls"
WSGI_APPLICATION = "annotation_backend.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "annotation_backend.views.installation",
                "annotation_backend.studies.pages.study_of_page",
                "annotation_backend.accounts.sign_in.ways_to_sign_in",
            ],
            "builtins": ["annotation_backend.studies.templatetags.study_pages"],
        },
    },
]

DATABASES = {"default": configured.database("DATABASE_URL", default=DATA_FOLDER / "maskloop.sqlite3")}
"""Where Maskloop keeps its records and jobs: a SQLite file, or a PostgreSQL database of its own; see decision 21.
Example: ``DATABASE_URL=postgresql://maskloop:password@db.example.org:5432/maskloop``"""
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"].setdefault("CONN_HEALTH_CHECKS", True)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "maskloop_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # nobody pushes others' counts of tries out of it
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "training"]}}

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "landing"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

ACCOUNT_ADAPTER = "annotation_backend.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Maskloop: "
ACCOUNT_FORMS = {"login": "annotation_backend.accounts.sign_in.SignInForm"}
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = urlsplit(MASKLOOP_URL).scheme
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {
    "login": None,  # accounts/throttle.py counts these, and says why
    "login_failed": "5/5m/key",  # codes of a second factor
    "reauthenticate": "5/5m/user",
    "change_password": "5/5m/user",
}
MFA_ADAPTER = "annotation_backend.accounts.second_factor.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1
SOCIALACCOUNT_ADAPTER = "annotation_backend.accounts.oidc.KnownPeopleOnly"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a posted form may lead to no other site (CSP_FORM_ACTION)
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] = [
        {
            "provider_id": "oidc",
            "name": OIDC_NAME,
            "client_id": OIDC_CLIENT_ID,
            "secret": OIDC_CLIENT_SECRET,
            "settings": {"server_url": OIDC_ISSUER},
        }
    ]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_COOKIE_NAME = "maskloop_session"
CSRF_COOKIE_NAME = "maskloop_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = MASKLOOP_URL.startswith("https://")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSP_DEFAULT_SRC = ("'self'",)
CSP_FRAME_ANCESTORS = ("'none'",)
CSP_BASE_URI = ("'none'",)
CSP_FORM_ACTION = ("'self'", LABEL_STUDIO_URL)  # who is sent here to sign in goes back there at once
CSP_OBJECT_SRC = ("'none'",)

DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024
"""Largest request body: a task's annotations with their masks come back with every prediction request."""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "not_throttled": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 429,
        },
        "without_picture_addresses": {
            "()": "django.utils.log.CallbackFilter",
            "callback": without_picture_addresses,
        },
    },
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "fido2": {"level": "WARNING"},
        "django.request": {"filters": ["not_throttled", "without_picture_addresses"]},
        "django.security.csrf": {"filters": ["without_picture_addresses"]},
    },
}
