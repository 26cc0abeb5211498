"""All addresses of the service, those of the apps among them."""

from collections.abc import Iterable, Iterator

from django.urls import URLPattern, URLResolver, reverse

from annotation_backend.urls import urlpatterns


def every_address() -> list[URLPattern]:
    """Each address once, whichever app it is of."""
    return list(_flat(urlpatterns))


def address_of(pattern: URLPattern) -> str:
    """An address of this pattern, of the case C0001 and of first numbers."""
    values = {
        "code": "C0001",
        "role": "t2",
        "index": 2,
        "token": "x",
        "mask_id": 1,
        "pk": 1,
        "kind": "t1",
        "one": 1,
        "other": 1,
        "number": 1,
    }
    wanted = pattern.pattern.converters
    return reverse(str(pattern.name), kwargs={name: values[name] for name in wanted})


def _flat(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern
