"""What a publisher says of a release, and what is refused."""

from dataclasses import replace

import pytest

from datasets.errors import RejectedInput
from datasets.release.publication import Creator, Publication, check_publication
from datasets.release.settings import check_settings
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import CANARY, SETTINGS

PERSON = Creator("Doe, Jane", is_institution=False)


def test_nothing_and_everything_may_be_said() -> None:
    check_publication(Publication())
    check_publication(PUBLICATION)
    assert (PUBLICATION.year, PUBLICATION.is_a_day) == ("2024", True)
    assert (Publication(published="2024").year, Publication(published="2024").is_a_day) == ("2024", False)
    assert Publication().year == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": "two\nlines"}, "release-text"),
        ({"title": "right\u202eto left"}, "release-text"),
        ({"publisher": "nul\0"}, "release-text"),
        ({"keywords": ("x" * 1001,)}, "release-text"),
        ({"title": CANARY}, "release-person"),
        ({"funding": ("grant of Müller^Jürgen",)}, "release-person"),
        ({"creators": (Creator("DOE^JANE"),)}, "release-person"),
        ({"creators": (Creator(" "),)}, "publication-empty"),
        ({"keywords": ("",)}, "publication-empty"),
        ({"doi": "https://doi.org/10.1234/abcd"}, "publication-doi"),
        ({"doi": "10.1234/a b"}, "publication-doi"),
        ({"address": "javascript:alert(1)"}, "publication-address"),
        ({"address": "https://example.org/<script>"}, "publication-address"),
        ({"contact": "somebody"}, "publication-contact"),
        ({"published": "yesterday"}, "publication-time"),
        ({"published": "2024-02-30"}, "publication-time"),
        ({"published": "20240531"}, "publication-time"),
        ({"published": "1024"}, "publication-time"),
        ({"creators": (replace(PERSON, orcid="0000-0002-1825-0098"),)}, "publication-orcid"),
        ({"creators": (replace(PERSON, orcid="0000000218250097"),)}, "publication-orcid"),
        ({"creators": (Creator("Hospital", orcid="0000-0002-1825-0097"),)}, "publication-orcid"),
    ],
)
def test_what_no_catalogue_takes_is_refused(changes: dict, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        check_settings(replace(SETTINGS, publication=replace(PUBLICATION, **changes)))
    assert refusal.value.code == code
    assert "CANARY" not in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"description": f"Of {CANARY}."},
        {"licence_text": CANARY},
        {"masks_made_by": CANARY},
        {"known_limits": (CANARY,)},
        {"citations": (CANARY,)},
        {"reasons": {"sub-0001_ses-1": CANARY}},
        {"labels": {1: CANARY}},
    ],
)
def test_a_name_as_headers_write_it_is_refused_in_every_text(changes: dict) -> None:
    with pytest.raises(RejectedInput, match="release-person"):
        check_settings(replace(SETTINGS, **changes))


@pytest.mark.parametrize("orcid", ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"])
def test_orcid_s_own_examples_are_taken(orcid: str) -> None:
    check_publication(Publication(creators=(replace(PERSON, orcid=orcid),)))


def test_a_person_has_a_family_and_a_given_name() -> None:
    assert PERSON.family_and_given == ("Doe", "Jane")
    assert Creator("Plato", is_institution=False).family_and_given == ("Plato", "")
