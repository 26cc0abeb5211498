"""DataCite's record, against what its JSON schema 4.5 requires and allows."""

import json
import re
from dataclasses import replace

import pytest

from datasets.release.describing.metadata.datacite import datacite_record
from datasets.release.publication import Creator
from tests.datasets.release.describing.samples import HOSTILE, PUBLICATION
from tests.datasets.release.samples import SETTINGS

SAID = replace(SETTINGS, publication=PUBLICATION, masks_made_by="Two students drew.")

REQUIRED = {"creators", "titles", "publisher", "publicationYear", "types", "schemaVersion"}
"""Of datacite-v4.5.json; it names no others."""

ALLOWED = REQUIRED | {
    *(
        "doi",
        "prefix",
        "suffix",
        "event",
        "url",
        "subjects",
        "contributors",
        "dates",
        "language",
        "alternateIdentifiers",
    ),
    *("relatedIdentifiers", "relatedItems", "sizes", "formats", "version", "rightsList", "descriptions"),
    *("geoLocations", "fundingReferences", "container"),
}
KEYS = {
    "creators": {"name", "nameType", "givenName", "familyName", "nameIdentifiers", "affiliation", "lang"},
    "titles": {"title", "titleType", "lang"},
    "subjects": {"subject", "subjectScheme", "schemeUri", "valueUri", "classificationCode", "lang"},
    "dates": {"date", "dateType", "dateInformation"},
    "rightsList": {"rights", "rightsUri", "rightsIdentifier", "rightsIdentifierScheme", "schemeUri", "lang"},
    "descriptions": {"description", "descriptionType", "lang"},
    "fundingReferences": {
        *("funderName", "funderIdentifier", "funderIdentifierType", "awardNumber", "awardUri", "awardTitle"),
    },
}


def record(settings=SAID) -> dict:
    content = datacite_record(settings, cases=5, size=1000)
    assert content is not None
    return json.loads(content)


@pytest.mark.parametrize(
    "settings",
    [
        SAID,
        replace(SAID, licence="in house", description="", masks_made_by="", known_limits=()),
        replace(SAID, known_limits=(*HOSTILE, *HOSTILE), publication=replace(PUBLICATION, keywords=("a", "a"))),
        replace(SAID, publication=replace(PUBLICATION, doi="", address="", published="2024", keywords=(), funding=())),
    ],
    ids=["all", "few texts", "doubled", "required"],
)
def test_the_schema_s_required_fields_and_no_others(settings) -> None:
    found = record(settings)
    assert set(found) >= REQUIRED
    assert set(found) <= ALLOWED
    assert found["schemaVersion"] == "http://datacite.org/schema/kernel-4"
    assert found["types"]["resourceTypeGeneral"] == "Dataset"
    assert re.fullmatch(r"[0-9]{4}", found["publicationYear"])
    assert set(found["publisher"]) == {"name"}
    assert re.fullmatch(r"10[.][0-9]{4,9}[/][^\s]+", found.get("doi", "10.1234/x"))
    for name, keys in KEYS.items():
        values = found.get(name, [])
        assert all(set(value) <= keys for value in values), name
        assert len({json.dumps(value, sort_keys=True) for value in values}) == len(values), f"{name} are unique"
    assert {value["nameType"] for value in found["creators"]} <= {"Organizational", "Personal"}
    assert {value["dateType"] for value in found["dates"]} == {"Issued"}
    assert {value["descriptionType"] for value in found.get("descriptions", [])} <= {"Abstract", "Methods", "Other"}


def test_what_is_said() -> None:
    found = record()
    assert found["creators"] == [
        {"name": "University Hospital", "nameType": "Organizational"},
        {
            "name": "Doe, Jane",
            "nameType": "Personal",
            "familyName": "Doe",
            "givenName": "Jane",
            "affiliation": [{"name": "University"}],
            "nameIdentifiers": [
                {
                    "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                    "nameIdentifierScheme": "ORCID",
                    "schemeUri": "https://orcid.org",
                }
            ],
        },
    ]
    assert found["rightsList"][0]["rightsUri"] == "https://creativecommons.org/licenses/by/4.0/"
    assert found["rightsList"][0]["rightsIdentifier"] == "cc-by-4.0"
    assert (found["version"], found["sizes"]) == ("1.2.0", ["5 cases", "1000 bytes"])


@pytest.mark.parametrize("missing", [{"creators": ()}, {"publisher": ""}, {"published": ""}])
def test_there_is_none_without_what_it_requires(missing: dict) -> None:
    settings = replace(SAID, publication=replace(PUBLICATION, **missing))
    assert datacite_record(settings, cases=5, size=1) is None


def test_one_creator_of_one_name() -> None:
    settings = replace(SAID, publication=replace(PUBLICATION, creators=(Creator("Plato", is_institution=False),)))
    assert record(settings)["creators"] == [{"name": "Plato", "nameType": "Personal", "familyName": "Plato"}]
