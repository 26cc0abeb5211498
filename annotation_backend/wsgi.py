"""WSGI entry point for the web service."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_backend.settings")
application = get_wsgi_application()
