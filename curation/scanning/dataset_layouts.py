"""Folders laid out for segmentation programs that lie among studies: nnU-Net's raw datasets and the Decathlon's.

Each `dataset.json` that names its channels describes the folder that it lies in
(`datasets.public.layouts.dataset_json`). A case is a patient, or one of a patient's sessions; its channels have the
roles that their names say, and its label is a mask whose values the list names (`curation.scanning.mask_values`). The
one dataset of `import_dataset` is laid out by `curation.scanning.source_listing`.
"""

from dataclasses import replace
from pathlib import PurePosixPath

from curation.scanning.case_table import CaseDescription
from curation.scanning.laid_out import LaidOut
from curation.scanning.source_listing import placed_files, told_apart
from curation.scanning.source_roles import roles_of_source, without_role
from datasets.file_tree import FileTree
from datasets.finding import Finding
from datasets.labels.label_values import LABEL_LIST_NAME
from datasets.public.layouts.dataset_json import dataset_of, read_dataset_document
from datasets.study.protocol import Protocol


def laid_out(tree: FileTree, protocol: Protocol) -> LaidOut:
    """Reads every nnU-Net and Decathlon dataset in a folder; one that cannot be read lays out nothing.

    Args:
        tree: The scanned folder's.
        protocol: Whose roles the channels may have.
    """
    whole = LaidOut()
    for path in tree.paths:
        document = read_dataset_document(tree, path) if PurePosixPath(path).name == LABEL_LIST_NAME else None
        if document is None:
            continue
        dataset = dataset_of(document, tree)
        roles = roles_of_source(dataset, protocol)
        placed = placed_files(dataset, roles, protocol)
        if placed.files or placed.left_out:
            said: list[Finding] = [*without_role(dataset, roles, protocol, subject=tree.subject(path))]
            said += dataset.findings if placed.files else ()
            visits = dict.fromkeys(sorted(told_apart(dataset)), CaseDescription())
            one = replace(placed, findings=tuple(said), former=dataset.former_patients, visits=visits)
            whole = _joined(whole, one)
    return whole


def _joined(one: LaidOut, other: LaidOut) -> LaidOut:
    return LaidOut(
        files={**one.files, **other.files},
        left_out=one.left_out | other.left_out,
        findings=(*one.findings, *other.findings),
        former={**one.former, **other.former},
        visits={**one.visits, **other.visits},
    )
