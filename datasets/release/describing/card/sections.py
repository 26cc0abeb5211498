"""The dataset card of a release, for readers of the data; the same release gives the same card."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from datasets.release.describing.card.blocks import (
    Block,
    Bullets,
    Document,
    Paragraph,
    Section,
    Table,
    listed,
    many,
    plain,
    said,
    words,
)
from datasets.release.describing.card.cohort import cohort_blocks, grey_blocks, quality_blocks, volume_blocks
from datasets.release.describing.card.errata import errata_blocks
from datasets.release.describing.card.images import MODALITY_WORDS, image_blocks
from datasets.release.describing.card.masks import mask_blocks
from datasets.release.describing.card.using import loading_blocks, verifying_blocks
from datasets.release.describing.case_facts import CaseFacts
from datasets.release.describing.changes import ReleaseChanges
from datasets.release.describing.splits import Splits
from datasets.release.paths import (
    CARD_NAME,
    CHANGES_DOCUMENT_NAME,
    CHANGES_NAME,
    CITATION_NAME,
    CONVERTER_NAME,
    CROISSANT_NAME,
    DATACITE_NAME,
    FIGURES,
    IMAGES_NAME,
    LABELS_NAME,
    LICENCE_NAME,
    MONAI_NAME,
    PAGE_NAME,
    PROTOCOL_NAME,
    SPLITS_NAME,
    TABLE_NAME,
    VERIFY_NAME,
    is_binary,
)
from datasets.release.settings import ReleaseSettings

_MEANINGS = {
    TABLE_NAME: "a line a case, with its fold",
    IMAGES_NAME: "a line an image or mask, with size and SHA-256",
    SPLITS_NAME: "suggested folds; no patient is in two of them",
    LABELS_NAME: "values and names of the labels",
    PROTOCOL_NAME: "the annotation protocol, whose SHA-256 the manifest names",
    CHANGES_NAME: "what each version changed",
    CHANGES_DOCUMENT_NAME: "the same for programs",
    MONAI_NAME: "MONAI's list of images and masks, with the folds",
    CROISSANT_NAME: "the dataset for catalogues and loaders of machine learning (Croissant)",
    DATACITE_NAME: "the record of its DOI (DataCite)",
    CITATION_NAME: "how to cite it",
    CONVERTER_NAME: "turns it into nnU-Net's layout or 3D Slicer's segmentations",
    VERIFY_NAME: "verifies it",
    LICENCE_NAME: "the licence",
}


def dataset_card(
    settings: ReleaseSettings,
    cases: Sequence[CaseFacts],
    *,
    splits: Splits,
    changes: ReleaseChanges,
    files: Collection[str],
) -> Document:
    """The card; no day of building, no machine, no person but those that the publisher names.

    Args:
        settings: The publisher's texts.
        cases: Those of the release.
        splits: The suggested folds.
        changes: Since the version before.
        files: Names of the files beside the card.
    """
    limits = plain(settings.known_limits) if settings.known_limits else said("The publisher names none.")
    sections: dict[str, tuple[Block, ...]] = {
        "": tuple(_head(settings, cases)),
        "At a glance": (
            Table("What it is, and who made it.", ("what", "value"), tuple(_facts(settings, cases)), words=2),
        ),
        "Cases": cohort_blocks(cases),
        "Volumes": volume_blocks(settings, cases),
        "Images": image_blocks(settings, cases),
        "Grey values": grey_blocks(settings, cases),
        "Masks": mask_blocks(settings, cases),
        "Quality": quality_blocks(cases),
        "How to verify": verifying_blocks(),
        "How to load": loading_blocks(settings),
        "Files": _files(settings, files),
        "Suggested folds": tuple(_folds(splits)),
        "Changes": (plain([f"{changes.version}: {sentence}" for sentence in changes.sentences]),),
        "Known limits": (limits,),
        "Errata": errata_blocks(settings),
        "Withdrawn": tuple(_withdrawn(settings)),
        "Licence and citation": tuple(_licence(settings)),
    }
    return Document(settings.title, tuple(Section(title, blocks) for title, blocks in sections.items()))


def _head(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> Iterator[Block]:
    modalities = listed(list(dict.fromkeys(MODALITY_WORDS[role.modality] for role in settings.roles)))
    patients = len({case.entry.patient for case in cases})
    labels = listed(list(settings.labels.values()))
    what = f"{modalities} with masks of {labels}: {many(len(cases), 'case')} of {many(patients, 'patient')}, "
    protocol = settings.protocol
    by = f" They were made by protocol {protocol.name}, version {protocol.version}." if protocol else ""
    yield Paragraph((f"{what}each with its images and a mask on one grid.{by}",))
    yield from (Paragraph((" ".join(part.split()),)) for part in settings.description.split("\n\n") if part.strip())


def _facts(settings: ReleaseSettings, cases: Sequence[CaseFacts]) -> Iterator[tuple[str, str]]:
    publication = settings.publication
    yield "name and version", f"{settings.name} {settings.version}"
    yield "cases", str(len(cases))
    yield "patients", str(len({case.entry.patient for case in cases}))
    yield "images of a case", listed([role.title for role in settings.roles])
    yield "labels", listed(list(settings.labels.values()))
    yield "files", "NIfTI, as a tree of BIDS derivatives"
    known = {
        "follows": settings.follows or "",
        "made by": "; ".join(creator.name for creator in publication.creators),
        "published by": publication.publisher,
        "published": publication.published,
        "DOI": publication.doi,
        "page": publication.address,
        "contact": publication.contact,
        "keywords": ", ".join(publication.keywords),
    }
    yield from ((name, value) for name, value in known.items() if value)
    yield "licence", settings.licence


def _files(settings: ReleaseSettings, files: Collection[str]) -> tuple[Block, ...]:
    suffix = "mask" if is_binary(settings.labels) else "dseg"
    lines = [
        words(
            "`sub-<patient>/ses-<case>/anat/`, `pet/`: a case's images, NIfTI, millimetres, RAS+ affine; "
            "`desc-` says the role"
        ),
        words(f"`…_{suffix}.nii.gz`: its mask on the same grid; the JSON beside it says how it came about"),
        words(f"`{CARD_NAME}`, `{PAGE_NAME}`: this text; `{FIGURES}/`: its figures"),
        *(words(f"`{name}`: {meaning}") for name, meaning in _MEANINGS.items() if name in files),
        words("`participants.tsv`, `dataset_description.json`: what BIDS asks for"),
        words("`manifest.json`: digest of every file and of what each case came from"),
        words("`SHA256SUMS`: digest of every file, for `sha256sum`"),
    ]
    return (Bullets(tuple(lines)),)


def _folds(splits: Splits) -> Iterator[Block]:
    seed = f" (seed {splits.seed})" if splits.seed is not None else ""
    yield said(f"{many(len(splits.folds), 'fold')}: {splits.method}{seed}. `{SPLITS_NAME}` has them.")
    if splits.findings:
        yield plain([str(finding) for finding in splits.findings])


def _withdrawn(settings: ReleaseSettings) -> Iterator[Block]:
    if settings.withdrawn:
        yield said("These cases of earlier versions were withdrawn and must not be used any more:")
        reasons = settings.reasons
        yield plain([f"{code}: {reasons[code]}" if code in reasons else code for code in sorted(settings.withdrawn)])


def _licence(settings: ReleaseSettings) -> Iterator[Block]:
    publication = settings.publication
    yield Paragraph((f"{settings.licence}; see ", *words(f"`{LICENCE_NAME}`.")))
    if settings.citations:
        yield said("Where you use these data, cite:")
        yield plain(settings.citations)
    else:
        yield said("The publisher asks for no citation.")
    paid = [f"Funding: {line}" for line in publication.funding]
    if lines := list(chain(paid, (f"Ethics: {line}" for line in publication.ethics))):
        yield said("Paid for and approved:")
        yield plain(lines)
