"""WSGI entry point for the web service: each of its processes loads the serving models before anyone asks."""

import os
from threading import Thread

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
application = get_wsgi_application()

from annotation_backend.inference.serving.serving import watch_promotions  # noqa: E402 (Django is set up now)
from annotation_backend.labeling.masks.brush import prepare  # noqa: E402
from annotation_backend.labeling.studio.web_patience import bound_database_waits  # noqa: E402

bound_database_waits()
watch_promotions()
Thread(target=prepare, name="codec", daemon=True).start()
