"""A published dataset as the list that a scan follows: which file is which image of the study's protocol."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from unicodedata import normalize

from curation.names.anatomical_sites import SITE_WORDS, known_site
from curation.scanning.case_table import CaseDescription
from curation.scanning.laid_out import LaidOut
from curation.scanning.source_labels import labels_of_source
from curation.scanning.source_roles import SourceRoles, roles_of_source, without_role
from curation.scanning.table_files import NamedFile
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.finding import Finding, Level
from datasets.formats.volume_file import is_volume_file
from datasets.public.dataset import FoundBy, SourceCase, SourceDataset, SourceImage
from datasets.study.image_kind import ImageKind
from datasets.study.protocol import UNKNOWN_TISSUE, Modality, Protocol


@dataclass(frozen=True)
class SaidByPerson:
    """What a person says of a dataset.

    Args:
        images: Name or number of an image to the study's role; an empty one leaves it out.
        labels: Name or value of a label to the study's label; an empty one leaves it out.
    """

    images: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SourceListing:
    """How a dataset comes into a study.

    Args:
        laid_out: What a scan follows.
        roles: Name of an image to its role; None where it has none. For reports, where names may be shown.
        labels: Name of a label to the study's; empty where it was left out. Likewise.
    """

    laid_out: LaidOut
    roles: Mapping[str, str | None] = field(repr=False)
    labels: Mapping[str, str] = field(repr=False)


def listing_of(
    dataset: SourceDataset,
    tree: FileTree,
    protocol: Protocol,
    *,
    said: SaidByPerson | None = None,
    are_names_shown: bool = False,
) -> SourceListing:
    """The list of a dataset for a study.

    Args:
        dataset: The dataset.
        tree: Its folder's.
        protocol: The study's.
        said: By a person.
        are_names_shown: Whether the dataset's names of images and labels may be shown.

    Raises:
        RejectedInput: What `roles_of_source` and `labels_of_source` refuse; ``source-images-unfit``: none of its images
            is one of the study's; ``source-images-said``: a person says which image is which, and the files themselves
            say it.
    """
    said = said or SaidByPerson()
    is_listed = dataset.found_by is FoundBy.LIST
    if said.images and not is_listed:
        raise RejectedInput(
            "source-images-said",
            "Which image is which is read from this dataset's own names or headers; --image says nothing here.",
            remedy="Leave --image out, and choose a patient's series on their page where that is a question.",
        )
    roles = roles_of_source(dataset, protocol, said.images)
    if is_listed and not any(roles.by_name.values()):
        raise RejectedInput(
            "source-images-unfit",
            f"None of the dataset's images is one of the protocol's ({', '.join(protocol.roles)}).",
            remedy="Import it into a study with such images, or say which is which with --image SOURCE=ROLE.",
        )
    alike = _alike(dataset)
    dataset = replace(dataset, cases=tuple(one for one in dataset.cases if one.patient not in alike))
    labels = labels_of_source(dataset, protocol, said.labels, are_names_shown=are_names_shown)
    placed = placed_files(dataset, roles, protocol) if is_listed else LaidOut()
    descriptions, visits, described = _descriptions(dataset, protocol)
    of_roles = without_role(dataset, roles, protocol, subject="the dataset", are_names_shown=are_names_shown)
    findings = [*dataset.findings, *(of_roles if is_listed else ()), *described, *_patients_alike(dataset, alike)]
    whole = LaidOut(
        files=placed.files,
        findings=tuple(findings),
        meanings=labels.meanings,
        renamed=labels.renamed,
        descriptions=descriptions,
        visits=visits,
        former=dataset.former_patients,
        only=frozenset(_files_of(dataset, tree, placed)),
        has_own_table=dataset.is_case_table_its_own,
    )
    return SourceListing(whole, roles.by_name, labels.by_name)


def placed_files(dataset: SourceDataset, roles: SourceRoles, protocol: Protocol) -> LaidOut:
    """The files of a dataset that lists them; those of images without a role, and their masks, are left out."""
    modalities = {image.name: image.modality for image in protocol.images}
    several = {patient for patient, count in Counter(case.patient for case in dataset.cases).items() if count > 1}
    files: dict[str, list[NamedFile]] = defaultdict(list)
    paths = set(dataset.lone_masks)
    for case in dataset.cases:
        visit = (case.visit or case.case) if case.patient in several else ""
        own = {image.name: roles.by_name.get(image.name) for image in case.images}
        for image in case.images:
            paths.add(image.path)
            role = own[image.name]
            if role is not None:
                said = "" if modalities[role] is Modality.MR else modalities[role].value
                entry = NamedFile(case.patient, role, False, image.channel, said, is_of_dataset=True)
                files[image.path].append(replace(entry, visit=visit, vendor=case.vendor, described=_described(image)))
        for mask in case.masks:
            paths.add(mask.path)
            role = own.get(mask.image) if mask.image else None
            if role is not None or (not mask.image and any(own.values())):
                files[mask.path].append(NamedFile(case.patient, role, True, is_of_dataset=True, visit=visit))
    return LaidOut(
        files={path: tuple(entries) for path, entries in files.items()}, left_out=frozenset(paths - set(files))
    )


def _described(image: SourceImage) -> str:
    """The kind of an MR image in the words that rules about descriptions look for."""
    kind = ImageKind.from_word(image.kind) if image.kind else None
    if kind is None or kind.weighting is None:
        return ""
    return " ".join(
        [kind.weighting, *(["FS"] if kind.fat_suppression else []), *(["contrast"] if kind.contrast else [])]
    )


def _files_of(dataset: SourceDataset, tree: FileTree, placed: LaidOut) -> Iterator[str]:
    """The files that the scan looks at: those that are listed, or all in the folders of DICOM."""
    if dataset.found_by is FoundBy.LIST:
        yield from placed.files
    elif dataset.found_by is FoundBy.NAME:
        yield from (image.path for image in dataset.images)
        yield from (mask.path for mask in dataset.masks)
    else:
        yield from (path for path in tree.paths if not is_volume_file(PurePosixPath(path)))


def _alike(dataset: SourceDataset) -> set[str]:
    """Patients whose names differ in capitals, or in how accents are composed, only."""
    looks: dict[str, set[str]] = defaultdict(set)
    for case in dataset.cases:
        looks[normalize("NFC", case.patient).casefold().strip()].add(case.patient)
    return {patient for same in looks.values() if len(same) > 1 for patient in same}


def _patients_alike(dataset: SourceDataset, alike: set[str]) -> Iterator[Finding]:
    if alike:
        yield Finding(
            Level.ERROR,
            "source-patients-alike",
            f"The names of {len(alike)} patients differ in capitals, or in how accents are composed, only: they may be "
            "one person; they are left out.",
            "Find out which they are, and give them names that differ.",
            "the dataset",
        )


def _descriptions(
    dataset: SourceDataset, protocol: Protocol
) -> tuple[dict[str, CaseDescription], dict[tuple[str, str], CaseDescription], list[Finding]]:
    """Tissue type and site of each patient and of cases that are told apart, and how many have others than the study
    knows."""
    words = SITE_WORDS | {word for site in protocol.sites for word in site.split()}
    found: dict[str, CaseDescription] = {}
    visits: dict[tuple[str, str], CaseDescription] = {}
    apart = told_apart(dataset)
    strange: Counter[str] = Counter()
    for case in dataset.cases:
        tissue, site = _tissue(case, protocol), known_site(case.anatomical_site, words=words)
        strange["tissue type"] += tissue is None
        strange["anatomical site"] += site is None
        said = CaseDescription(tissue or UNKNOWN_TISSUE, site or "")
        found.setdefault(case.patient, said)
        if (case.patient, case.visit) in apart:
            visits[case.patient, case.visit] = said
    findings = [
        Finding(
            Level.INFO,
            "source-word-unknown",
            f"The {what} of {count} case(s) in the dataset's table is none that the study knows; it is left out.",
            "Nothing, or give it in a table of cases (cases.csv) at the top of the folder.",
            "the dataset",
        )
        for what, count in strange.items()
        if count
    ]
    return found, visits, findings


def told_apart(dataset: SourceDataset) -> set[tuple[str, str]]:
    """Patient and visit of the cases of patients who have several, each with a visit of its own."""
    visits: dict[str, list[str]] = defaultdict(list)
    for case in dataset.cases:
        visits[case.patient].append(case.visit)
    return {
        (patient, visit)
        for patient, own in visits.items()
        if len(own) > 1 and all(own) and len(set(own)) == len(own)
        for visit in own
    }


def _tissue(case: SourceCase, protocol: Protocol) -> str | None:
    """The study's word; None for another one."""
    said = case.tissue_type.lower()
    if said in ("", UNKNOWN_TISSUE):
        return UNKNOWN_TISSUE
    return said if said in protocol.tissue_types else None
