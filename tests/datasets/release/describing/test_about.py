"""What a publisher says, read from a document."""

import pytest

from datasets.errors import RejectedInput
from datasets.release.describing.about import with_about
from datasets.release.settings import check_settings
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import SETTINGS

DOCUMENT = """
title = "Soft-tissue tumours of the thigh"
publisher = "University Hospital"
published = "2024-05-31"
contact = "data@example.org"
doi = "10.1234/abcd"
address = "https://example.org/thigh"
keywords = ["sarcoma", "MRI"]
funding = ["Cancer Foundation, grant 17"]
ethics = ["Committee 2020-1"]
known_limits = ["One scanner."]
masks_made_by = "Two students drew."

[[creators]]
name = "University Hospital"

[[creators]]
name = "Doe, Jane"
institution = false
affiliation = "University"
orcid = "0000-0002-1825-0097"
"""


def test_everything_is_read_and_the_rest_stays() -> None:
    settings = with_about(SETTINGS, DOCUMENT)
    check_settings(settings)
    assert settings.publication == PUBLICATION
    assert settings.known_limits == ("One scanner.",)
    assert settings.masks_made_by == "Two students drew."
    assert (settings.citations, settings.description) == (SETTINGS.citations, SETTINGS.description)
    assert with_about(SETTINGS, "") == SETTINGS


@pytest.mark.parametrize(
    "document",
    [
        "title = ",
        'titel = "misspelt"',
        "title = 5",
        'keywords = "sarcoma"',
        "keywords = [1]",
        'creators = "Doe, Jane"',
        'creators = ["Doe, Jane"]',
        "[[creators]]\naffiliation = 'University'",
        "[[creators]]\nname = 'Doe'\nperson = true",
        "[[creators]]\nname = 'Doe'\ninstitution = 'no'",
        'licence = "CC0-1.0"',
    ],
)
def test_other_documents_are_refused(document: str) -> None:
    with pytest.raises(RejectedInput, match="release-about"):
        with_about(SETTINGS, document)
