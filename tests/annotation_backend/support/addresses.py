"""All addresses of the service, those of the apps and of a study among them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, reverse

from annotation_backend.urls import urlpatterns
from datasets.study.shipped_protocols import FIRST

PLAIN = {
    "study": FIRST, "code": "C0001", "role": "t2", "index": 2, "token": "x", "mask_id": 1, "pk": 1, "kind": "t1",
    "one": 1, "other": 1, "number": 1, "rest": "C0001/",
    "figure": "funnel", "uidb36": "1", "key": "x-y", "provider_id": "oidc",
}  # fmt: skip
"""The first study, the case C0001 and first numbers."""


@dataclass(frozen=True)
class Address:
    """A pattern of addresses: its name, and the names of the values in it."""

    name: str
    wanted: tuple[str, ...]
    pattern: URLPattern

    @property
    def is_of_a_study(self) -> bool:
        """Whether it lies below a study."""
        return "study" in self.wanted

    @property
    def is_former(self) -> bool:
        """Whether it only leads to the address of now."""
        return self.name.startswith("former-")

    def of(self, values: Mapping[str, Any]) -> str:
        """The address with these values."""
        return reverse(self.name, kwargs={name: values[name] for name in self.wanted})


def every_address() -> list[Address]:
    """Each address once, whichever app it is of."""
    return list(_flat(urlpatterns, ()))


def address_of(address: Address) -> str:
    """An address of this pattern, of the first study, its case C0001 and first numbers."""
    return address.of(PLAIN)


def page_at(name: str, *values: Any, study: str = FIRST) -> str:
    """The address of a page of a study, the first one's if none is named."""
    return reverse(name, args=[study, *values])


def _flat(patterns: Iterable[URLPattern | URLResolver], above: tuple[str, ...]) -> Iterator[Address]:
    for pattern in patterns:
        wanted = (*above, *pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns, wanted)
        else:
            yield Address(str(pattern.name), wanted, pattern)
