"""CITATION.cff."""

from dataclasses import replace

import yaml

from datasets.release.describing.metadata.citation_file import citation_file
from datasets.release.publication import Creator, Publication
from tests.datasets.release.describing.samples import HOSTILE, PUBLICATION
from tests.datasets.release.samples import SETTINGS


def _read(settings) -> dict:
    content = citation_file(settings)
    assert content is not None
    return yaml.safe_load(content)


def test_what_is_said() -> None:
    found = _read(replace(SETTINGS, publication=PUBLICATION))
    assert found.pop("message")
    assert found == {
        "cff-version": "1.2.0",
        "type": "dataset",
        "title": "Soft-tissue tumours of the thigh",
        "version": "1.2.0",
        "date-released": "2024-05-31",
        "doi": "10.1234/abcd",
        "license": "CC-BY-4.0",
        "url": "https://example.org/thigh",
        "authors": [
            {"name": "University Hospital"},
            {
                "family-names": "Doe",
                "given-names": "Jane",
                "affiliation": "University",
                "orcid": "https://orcid.org/0000-0002-1825-0097",
            },
        ],
        "keywords": ["sarcoma", "MRI"],
    }


def test_no_text_is_taken_for_yaml() -> None:
    texts = (*HOSTILE, "no", "2024-05-31", "a: b # c", "!!python/object:os.system", "&a", "*a", "%TAG")
    creators = tuple(Creator(text) for text in texts)
    found = _read(replace(SETTINGS, publication=Publication(title=HOSTILE[0], creators=creators, keywords=texts)))
    assert [author["name"] for author in found["authors"]] == list(texts)
    assert found["keywords"] == list(texts)
    assert found["title"] == HOSTILE[0]


def test_what_the_format_cannot_say_is_left_out() -> None:
    settings = replace(SETTINGS, licence="in house", publication=replace(PUBLICATION, published="2024"))
    assert not {"license", "date-released"} & set(_read(settings))
    assert citation_file(SETTINGS) is None
