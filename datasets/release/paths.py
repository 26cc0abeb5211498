"""Where the files of a release lie: a tree of BIDS derivatives, one folder a case.

What BIDS has no name for (CT, MR images of no known weighting, our own lists) is named in ``.bidsignore``.

Source: BIDS 1.10, "Derivatives: common data types" and "Imaging data types: masks and segmentations".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.release.codes import parts_of, word_of
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import Modality, Weighting

MANIFEST_NAME = "manifest.json"
SUMS_NAME = "SHA256SUMS"
CARD_NAME = "README.md"
PAGE_NAME = "README.html"
LICENCE_NAME = "LICENSE"
SPLITS_NAME = "splits.json"
TABLE_NAME = "cases.csv"
IMAGES_NAME = "images.csv"
CHANGES_NAME = "CHANGES"
CHANGES_DOCUMENT_NAME = "changes.json"
PROTOCOL_NAME = "protocol.json"
CROISSANT_NAME = "croissant.json"
DATACITE_NAME = "datacite.json"
CITATION_NAME = "CITATION.cff"
MONAI_NAME = "monai.json"
CONVERTER_NAME = "convert.py"
VERIFY_NAME = "verify.py"
ERRATA_ENDING, TOMBSTONE_ENDING, PROOF_ENDING = ".errata.json", ".tombstone.json", ".proof.json"
"""What follows the folder's name in files beside a release."""

TOMBSTONE_SCHEMA = "maskloop-tombstone/1"
"""Of the list of withdrawn cases beside a release (`datasets.release.correcting.tombstone`)."""

ERRATUM_SCHEMA = "maskloop-erratum/1"
"""Of a document that reports a fault (`datasets.release.correcting.erratum_report`)."""

FIGURES = "figures"
"""The folder of the card's figures."""

PATIENTS_NAME = "participants.tsv"
PATIENT_WORDS_NAME = "participants.json"
DESCRIPTION_NAME = "dataset_description.json"
IGNORED_NAME = ".bidsignore"
LABELS_NAME = "dseg.tsv"
"""Values and names of the labels, where masks hold several."""

MASK = "mask"
"""The mask's name beside those of the images; no role is called so."""

LESION = "lesion"
"""The word for a label whose name has no ASCII letter or digit."""

_SUFFIXES = {
    Weighting.T1: "T1w",
    Weighting.T2: "T2w",
    Weighting.PROTON_DENSITY: "PDw",
    Weighting.T2_STAR: "T2starw",
    Weighting.FLAIR: "FLAIR",
}
_UNKNOWN_TO_BIDS = ("mr", "ct")
_PET = "pet"

IGNORED = (
    *(MANIFEST_NAME, SUMS_NAME, SPLITS_NAME, TABLE_NAME, IMAGES_NAME, CHANGES_DOCUMENT_NAME, PROTOCOL_NAME, PAGE_NAME),
    *(CROISSANT_NAME, DATACITE_NAME, MONAI_NAME, CONVERTER_NAME, VERIFY_NAME, FIGURES),
    *(f"*_{suffix}.{ending}" for suffix in _UNKNOWN_TO_BIDS for ending in ("nii.gz", "json")),
)
"""Lines of ``.bidsignore``."""


@dataclass(frozen=True)
class CasePaths:
    """The files of a case, relative to the release's folder.

    Args:
        images: The path of each image by its role.
        mask: The label map.
        record: What is known of how the mask came about; the mask's sidecar.
    """

    images: Mapping[str, str]
    mask: str
    record: str

    def sidecar(self, role: str) -> str:
        """The JSON beside an image."""
        return self.images[role].removesuffix(".nii.gz") + ".json"


def case_paths(code: str, kinds: Mapping[str, str], labels: Mapping[int, str]) -> CasePaths:
    """Where a case's files lie.

    Args:
        code: The case's code, such as ``sub-0001_ses-1``.
        kinds: Word of the kind (`ImageKind`) of each of its images by role.
        labels: Name of each value of the release's masks.

    Raises:
        RejectedInput: The code is no case's.
    """
    patient, session = parts_of(code)
    folder = f"{patient}/{session}"
    stem = f"{folder}/anat/{code}"
    images = {role: f"{folder}/{_folder(kind)}/{code}_{image_name(role, kind)}" for role, kind in kinds.items()}
    if is_binary(labels):
        mask = f"{stem}_label-{word_of(labels[1], otherwise=LESION)}_mask"
        return CasePaths(images, f"{mask}.nii.gz", f"{mask}.json")
    return CasePaths(images, f"{stem}_dseg.nii.gz", f"{stem}_dseg.json")


def is_binary(labels: Mapping[int, str]) -> bool:
    """Whether masks with these labels are BIDS's binary ones; others are segmentations with a table of labels."""
    return set(labels) == {1}


def image_name(role: str, kind: str) -> str:
    """The end of an image's file name, such as ``desc-t2fs_T2w.nii.gz``."""
    return f"desc-{word_of(role, otherwise='image')}_{_suffix(kind)}.nii.gz"


def _folder(kind: str) -> str:
    return "pet" if _suffix(kind) == _PET else "anat"


def _suffix(kind: str) -> str:
    image = ImageKind.from_word(kind)
    if image.modality is not Modality.MR:
        return {Modality.CT: "ct", Modality.PET: _PET}[image.modality]
    return "mr" if image.weighting is None else _SUFFIXES[image.weighting]
