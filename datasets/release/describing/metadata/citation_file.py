"""CITATION.cff: how to cite the release, which GitHub, Zenodo and BIDS read.

Source: Citation File Format 1.2.0. Every text is a double-quoted scalar of YAML as JSON writes it, so that nothing a
publisher wrote is taken for YAML.
"""

import json
from collections.abc import Iterator

from datasets.release.describing.metadata.licences import licence_address
from datasets.release.publication import Creator
from datasets.release.settings import ReleaseSettings

_MESSAGE = "Cite this release, with its version, where you used it, and the works that its README names."


def citation_file(settings: ReleaseSettings) -> bytes | None:
    """The bytes of CITATION.cff; None without creators, which the format requires.

    Args:
        settings: The publisher's texts.
    """
    if not settings.publication.creators:
        return None
    return ("\n".join(_lines(settings)) + "\n").encode()


def _lines(settings: ReleaseSettings) -> Iterator[str]:
    publication = settings.publication
    named = {
        "cff-version": "1.2.0",
        "message": _MESSAGE,
        "type": "dataset",
        "title": settings.title,
        "version": settings.version,
        "date-released": publication.published if publication.is_a_day else "",
        "doi": publication.doi,
        "license": settings.licence if licence_address(settings.licence) else "",
        "url": publication.address,
    }
    yield from (f"{name}: {_quoted(value)}" for name, value in named.items() if value)
    yield "authors:"
    for creator in publication.creators:
        yield from _author(creator)
    if publication.keywords:
        yield "keywords:"
        yield from (f"  - {_quoted(word)}" for word in dict.fromkeys(publication.keywords))


def _author(creator: Creator) -> Iterator[str]:
    family, given = creator.family_and_given
    named = (
        {"name": creator.name}
        if creator.is_institution
        else {
            "family-names": family,
            "given-names": given,
            "affiliation": creator.affiliation,
            "orcid": f"https://orcid.org/{creator.orcid}" if creator.orcid else "",
        }
    )
    known = [f"{name}: {_quoted(value)}" for name, value in named.items() if value]
    yield from (f"{'  - ' if at == 0 else '    '}{line}" for at, line in enumerate(known))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
