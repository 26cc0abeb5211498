"""WSGI entry point for the web service: each of its processes loads the serving models before anyone asks."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
application = get_wsgi_application()

from annotation_backend.inference.serving import watch_promotions  # noqa: E402 (Django is set up now)

watch_promotions()
