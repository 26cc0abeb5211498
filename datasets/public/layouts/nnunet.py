"""nnU-Net's raw datasets of both versions: a file a channel, and a `dataset.json` that names channels and labels.

Source: nnU-Net, documentation/dataset_format.md (version 2) and documentation/dataset_conversion.md (version 1).
"""

from datasets.file_tree import FileTree
from datasets.labels.label_values import LABEL_LIST_NAME
from datasets.public.dataset import SourceDataset
from datasets.public.layout import Layout, OtherTree
from datasets.public.layouts.dataset_json import dataset_of, numbered_files, read_dataset_document


def _read(tree: FileTree) -> SourceDataset:
    document = read_dataset_document(tree)
    if document is None and any(path.count("/") == 1 and path.endswith(f"/{LABEL_LIST_NAME}") for path in tree.paths):
        raise OtherTree(f"a {LABEL_LIST_NAME} at the top; folders below have one each: give one of them")
    if document is None:
        raise OtherTree(f"a readable {LABEL_LIST_NAME} at the top that numbers its channels from 0")
    if not numbered_files(document, tree):
        raise OtherTree(f"images such as imagesTr/case_001_0000{document.ending if _is_plain(document.ending) else ''}")
    return dataset_of(document, tree)


def _is_plain(ending: str) -> bool:
    return ending in (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")


NNUNET = Layout(
    name="nnunet",
    title="nnU-Net raw dataset, version 2 or 1",
    needs=(
        f"a {LABEL_LIST_NAME} with channel_names (or modality) and labels, and beside it imagesTr/CASE_0000.nii.gz and "
        "labelsTr/CASE.nii.gz"
    ),
    read=_read,
    has_own_names=False,
)
