"""All addresses of the service, those of the apps among them."""

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver

from annotation_backend.urls import urlpatterns


def every_address() -> list[URLPattern]:
    """Each address once, whichever app it is of."""
    return list(_flat(urlpatterns))


def _flat(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern
