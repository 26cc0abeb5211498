"""Croissant: the release for catalogues of machine learning and for mlcroissant, as croissant.json.

Record sets are read from the release's tables, so that a record is there at once: images are files of the folder, which
a record names with its digest. Of the parts of Croissant's vocabulary on responsible use, those are filled that the
release knows.

Source: Croissant 1.0 and Croissant RAI 1.0 (MLCommons), which mlcroissant 1.1 and every catalogue read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.files import canonical_json
from datasets.release.describing.card.protocol_words import stage_in_words
from datasets.release.describing.case_table import IMAGE_COLUMNS, MEASURED, NAMED, volume_column
from datasets.release.describing.metadata.licences import licence_address
from datasets.release.manifest_parts import FileEntry
from datasets.release.paths import IMAGES_NAME, TABLE_NAME
from datasets.release.publication import Creator
from datasets.release.settings import ReleaseSettings

CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of Croissant 1.0, word for word."""

_CONFORMS_TO = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
_INTEGERS = {"fold", "unannotated_slices", "bytes"}
_TEXTS = {*NAMED, *IMAGE_COLUMNS} - _INTEGERS


def croissant(settings: ReleaseSettings, files: Sequence[FileEntry], *, folds: int) -> bytes:
    """The bytes of croissant.json.

    Args:
        settings: The publisher's texts.
        files: The files beside those of the cases; each is listed with its digest, the cases' are sets.
        folds: How many folds are suggested.
    """
    publication = settings.publication
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": settings.name,
        "alternateName": publication.title,
        "description": settings.description.strip() or settings.title,
        "version": settings.version,
        "license": licence_address(settings.licence) or settings.licence,
        "url": publication.address or (f"https://doi.org/{publication.doi}" if publication.doi else ""),
        "identifier": f"https://doi.org/{publication.doi}" if publication.doi else "",
        "creator": [_creator(creator) for creator in publication.creators],
        "publisher": [_named("sc:Organization", publication.publisher)] if publication.publisher else [],
        "datePublished": publication.published,
        "keywords": list(publication.keywords),
        "citeAs": settings.citations[0] if settings.citations else "",
        "isLiveDataset": False,
        **_responsible_use(settings),
        "distribution": [*map(_file, files), *_file_sets()],
        "recordSet": [_cases(settings), _images(), _labels(settings), _folds(folds)],
    }
    return canonical_json({name: value for name, value in found.items() if value not in ("", [])})


def _named(kind: str, name: str) -> dict[str, str]:
    return {"@type": kind, "name": name}


def _creator(creator: Creator) -> dict[str, Any]:
    found: dict[str, Any] = _named("sc:Organization" if creator.is_institution else "sc:Person", creator.name)
    return found | ({"url": f"https://orcid.org/{creator.orcid}"} if creator.orcid else {})


def _responsible_use(settings: ReleaseSettings) -> dict[str, Any]:
    """Croissant RAI: how the masks were made, known limits, and that patients are codes."""
    design = settings.design
    titles = {stage.name: stage.title for stage in design.steps} if design else {}
    stages = [stage_in_words(stage, titles) for stage in design.steps] if design else []
    made = settings.masks_made_by.strip()
    return {
        "rai:dataAnnotationProtocol": [*([made] if made else []), *stages],
        "rai:dataAnnotationPlatform": ["Maskloop with Label Studio"],
        "rai:dataLimitations": list(settings.known_limits),
        "rai:personalSensitiveInformation": ["Medical images of patients, who are known by codes only."],
        "rai:dataReleaseMaintenancePlan": "Published versions never change; corrections are new versions, see CHANGES.",
    }


def _file(file: FileEntry) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _file_sets() -> list[dict[str, Any]]:
    sets = {
        "nifti-files": ("Images and masks; images.csv names each with its digest.", "application/gzip", ".nii.gz"),
        "records": ("How each image and mask came about.", "application/json", ".json"),
    }
    return [
        {
            "@type": "cr:FileSet",
            "@id": name,
            "name": name,
            "description": words,
            "encodingFormat": media_type,
            "includes": f"sub-*/ses-*/*/*{ending}",
        }
        for name, (words, media_type, ending) in sets.items()
    ]


def _cases(settings: ReleaseSettings) -> dict[str, Any]:
    volumes = {volume_column(name): f"volume_{value}_ml" for value, name in settings.labels.items()}
    columns = {name: name for name in (*NAMED, "volume_ml")} | volumes | {name: name for name in MEASURED}
    return _of_table("cases", "One record a case.", TABLE_NAME, columns, key="case")


def _images() -> dict[str, Any]:
    words = "One record an image or mask: its file, relative to this one, with size and SHA-256."
    return _of_table("images", words, IMAGES_NAME, {name: name for name in IMAGE_COLUMNS}, key="path")


def _of_table(name: str, words: str, table: str, columns: Mapping[str, str], *, key: str) -> dict[str, Any]:
    """A record set of a table; `columns` maps each to its identifier, in which no publisher's word stands."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": words,
        "key": {"@id": f"{name}/{key}"},
        "field": [_column(f"{name}/{identifier}", table, column) for column, identifier in columns.items()],
    }


def _column(identifier: str, table: str, column: str) -> dict[str, Any]:
    kind = "sc:Integer" if column in _INTEGERS else "sc:Text" if column in _TEXTS else "sc:Float"
    return {
        "@type": "cr:Field",
        "@id": identifier,
        "name": column,
        "dataType": kind,
        "source": {"fileObject": {"@id": table}, "extract": {"column": column}},
    }


def _labels(settings: ReleaseSettings) -> dict[str, Any]:
    data = [{"labels/value": value, "labels/name": name} for value, name in sorted(settings.labels.items())]
    return _of_data(
        "labels", "The values of the masks; 0 is background.", {"value": "sc:Integer", "name": "sc:Text"}, data
    )


def _folds(count: int) -> dict[str, Any]:
    data = [{"splits/fold": number} for number in range(1, count + 1)]
    found = _of_data("splits", "The suggested folds; cases/fold says in which a case is.", {"fold": "sc:Integer"}, data)
    return found | {"dataType": "cr:Split"}


def _of_data(name: str, words: str, kinds: Mapping[str, str], data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": words,
        "key": {"@id": f"{name}/{next(iter(kinds))}"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{field}", "name": field, "dataType": kind}
            for field, kind in kinds.items()
        ],
        "data": list(data),
    }
