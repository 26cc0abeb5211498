"""The record with which a DOI is registered at DataCite: datacite.json, the attributes of its REST API.

Source: DataCite Metadata Schema 4.5 and its JSON schema (inveniosoftware/datacite, ``datacite-v4.5.json``); 4.6 and 4.7
took nothing away of it.
"""

from typing import Any

from datasets.files import canonical_json
from datasets.release.describing.metadata.licences import licence_address
from datasets.release.publication import Creator
from datasets.release.settings import ReleaseSettings

_KERNEL = "http://datacite.org/schema/kernel-4"
_ORCID = {"nameIdentifierScheme": "ORCID", "schemeUri": "https://orcid.org"}
_SPDX = {"rightsIdentifierScheme": "SPDX", "schemeUri": "https://spdx.org/licenses/"}


def datacite_record(settings: ReleaseSettings, *, cases: int, size: int) -> bytes | None:
    """The bytes of datacite.json; None where creators, publisher or year are not given, without which there is none.

    Args:
        settings: The publisher's texts.
        cases: How many cases the release holds.
        size: Of its images and masks in bytes.
    """
    publication = settings.publication
    if not (publication.creators and publication.publisher and publication.year):
        return None
    found: dict[str, Any] = {
        "doi": publication.doi,
        "url": publication.address,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Images with masks"},
        "creators": [_creator(creator) for creator in publication.creators],
        "titles": [{"title": settings.title}],
        "publisher": {"name": publication.publisher},
        "publicationYear": publication.year,
        "subjects": [{"subject": word} for word in dict.fromkeys(publication.keywords)],
        "dates": [{"date": publication.published, "dateType": "Issued"}],
        "language": "en",
        "sizes": [f"{cases} cases", f"{size} bytes"],
        "formats": ["application/gzip", "text/csv", "application/json"],
        "version": settings.version,
        "rightsList": [_rights(settings.licence)],
        "descriptions": _descriptions(settings),
        "fundingReferences": [{"funderName": name} for name in dict.fromkeys(publication.funding)],
        "schemaVersion": _KERNEL,
    }
    return canonical_json({name: value for name, value in found.items() if value})


def _creator(creator: Creator) -> dict[str, Any]:
    if creator.is_institution:
        return {"name": creator.name, "nameType": "Organizational"}
    family, given = creator.family_and_given
    found: dict[str, Any] = {"name": creator.name, "nameType": "Personal", "familyName": family, "givenName": given}
    if creator.affiliation:
        found["affiliation"] = [{"name": creator.affiliation}]
    if creator.orcid:
        found["nameIdentifiers"] = [{"nameIdentifier": f"https://orcid.org/{creator.orcid}"} | _ORCID]
    return {name: value for name, value in found.items() if value}


def _rights(licence: str) -> dict[str, str]:
    address = licence_address(licence)
    known = {"rightsUri": address, "rightsIdentifier": licence.lower(), **_SPDX} if address else {}
    return {"rights": licence} | known


def _descriptions(settings: ReleaseSettings) -> list[dict[str, str]]:
    found = [("Abstract", settings.description), ("Methods", settings.masks_made_by)]
    found += [("Other", limit) for limit in dict.fromkeys(settings.known_limits)]
    return [{"description": text.strip(), "descriptionType": kind} for kind, text in found if text.strip()]
