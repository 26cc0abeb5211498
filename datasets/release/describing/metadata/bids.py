"""What BIDS asks for beside the data: dataset_description.json, .bidsignore, dseg.tsv, and what columns mean.

Source: BIDS 1.10, "Modality agnostic files" and "Derivatives".
"""

from importlib.metadata import PackageNotFoundError, version

from datasets.files import canonical_json
from datasets.release.describing.metadata.licences import licence_address
from datasets.release.paths import (
    DESCRIPTION_NAME,
    IGNORED,
    IGNORED_NAME,
    LABELS_NAME,
    PATIENT_WORDS_NAME,
    is_binary,
)
from datasets.release.settings import ReleaseSettings

BIDS_VERSION = "1.10.0"


def bids_texts(settings: ReleaseSettings) -> dict[str, bytes]:
    """BIDS's own files by their path.

    Args:
        settings: The release's.
    """
    texts = {
        DESCRIPTION_NAME: canonical_json(_description(settings)),
        IGNORED_NAME: ("\n".join(IGNORED) + "\n").encode(),
        PATIENT_WORDS_NAME: canonical_json(_patient_words()),
    }
    if not is_binary(settings.labels):
        texts[LABELS_NAME] = _label_table(settings)
    return texts


def software() -> dict[str, str]:
    """Versions of the software that builds releases."""
    try:
        return {"maskloop": version("maskloop")}
    except PackageNotFoundError:  # a checkout that was never installed has no version
        return {"maskloop": "not installed"}


def _description(settings: ReleaseSettings) -> dict[str, object]:
    """BIDS's dataset_description.json; it must not name what CITATION.cff does."""
    publication = settings.publication
    cited = {"Authors", "ReferencesAndLinks", *(["License"] if licence_address(settings.licence) else [])}
    left_out = cited if publication.creators else set()
    found: dict[str, object] = {
        "Name": settings.title,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": settings.licence,
        "Authors": [creator.name for creator in publication.creators],
        "Keywords": list(publication.keywords),
        "Funding": list(publication.funding),
        "EthicsApprovals": list(publication.ethics),
        "ReferencesAndLinks": [*settings.citations, *filter(None, [publication.address])],
        "DatasetDOI": f"doi:{publication.doi}" if publication.doi else "",
        "GeneratedBy": [{"Name": "Maskloop", "Version": software()["maskloop"]}],
    }
    return {name: value for name, value in found.items() if value and name not in left_out}


def _patient_words() -> dict[str, object]:
    """participants.json: what participants.tsv and its columns mean."""
    return {
        "Description": "The patients of the release, by code",
        "participant_id": {"Description": "Code of the patient"},
        "cases": {"Description": "Number of the patient's cases, each a session; cases.csv describes them"},
    }


def _label_table(settings: ReleaseSettings) -> bytes:
    """dseg.tsv: values and names of the labels, and the colours in which annotators saw them."""
    rows = [["index", "name"], *([str(value), name] for value, name in sorted(settings.labels.items()))]
    if settings.design:
        colours = {label.value: label.colour for label in settings.design.labels}
        rows = [[*row, colours.get(int(row[0]), "n/a") if at else "color"] for at, row in enumerate(rows)]
    return "".join("\t".join(row) + "\n" for row in rows).encode()
