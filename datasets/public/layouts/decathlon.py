"""The Medical Segmentation Decathlon's tasks: a `dataset.json` that lists pairs of image and label.

Source: Antonelli et al. 2022, The Medical Segmentation Decathlon, Nat Commun 13:4128.
"""

from dataclasses import replace

from datasets.file_tree import FileTree
from datasets.labels.label_values import LABEL_LIST_NAME
from datasets.public.dataset import SourceDataset
from datasets.public.layout import Layout, OtherTree
from datasets.public.layouts.dataset_json import dataset_of, listed_files, read_dataset_document

_LICENCE = "CC BY-SA 4.0"
_CITATION = "Antonelli et al. 2022, Nat Commun 13:4128, doi 10.1038/s41467-022-30695-9"


def _read(tree: FileTree) -> SourceDataset:
    document = read_dataset_document(tree)
    if document is None:
        raise OtherTree(f"a readable {LABEL_LIST_NAME} at the top that numbers its modalities from 0")
    if not listed_files(document, tree):
        raise OtherTree(f"images that {LABEL_LIST_NAME} lists under training or test")
    dataset = dataset_of(document, tree)
    given = dataset.publication
    named = replace(given, licence=given.licence or _LICENCE, citation=given.citation or _CITATION)
    return replace(dataset, publication=named)


DECATHLON = Layout(
    name="decathlon",
    title="Medical Segmentation Decathlon",
    needs=f"a {LABEL_LIST_NAME} with modality, labels and training, and beside it imagesTr and labelsTr",
    read=_read,
    has_own_names=False,
)
