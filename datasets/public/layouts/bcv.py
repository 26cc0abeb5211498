"""BCV, also BTCV: abdominal CT with thirteen organs, of the workshop Beyond the Cranial Vault.

    RawData/Training/img/img0001.nii.gz    RawData/Training/label/label0001.nii.gz
    RawData/Testing/img/img0061.nii.gz

Source: Landman et al. 2015, Multi-Atlas Labeling Beyond the Cranial Vault, doi 10.7303/syn3193805.
"""

import re
from collections import defaultdict
from pathlib import PurePosixPath

from datasets.file_tree import FileTree
from datasets.public.dataset import (
    Publication,
    SourceCase,
    SourceDataset,
    SourceImage,
    SourceMask,
    file_twice,
    mask_without_image,
)
from datasets.public.layout import Layout, OtherTree

ORGANS = (
    "spleen", "right kidney", "left kidney", "gallbladder", "esophagus", "liver", "stomach", "aorta",
    "inferior vena cava", "portal vein and splenic vein", "pancreas", "right adrenal gland", "left adrenal gland",
)  # fmt: skip
"""In the order of their values, from 1."""

_IMAGE = "CT"
_FILE = re.compile(r"(?P<kind>img|label)(?P<case>\d{4})\.nii(?:\.gz)?")
_PUBLICATION = Publication(
    "BCV (Beyond the Cranial Vault), abdomen",
    "as agreed to on Synapse, syn3193805",
    "Landman et al. 2015, Multi-Atlas Labeling Beyond the Cranial Vault, doi 10.7303/syn3193805",
)


def _read(tree: FileTree) -> SourceDataset:
    found: dict[str, dict[str, list[str]]] = {"img": defaultdict(list), "label": defaultdict(list)}
    for path in tree.paths:
        match = _FILE.fullmatch(PurePosixPath(path).name)
        if match is not None:
            found[match["kind"]][match["case"]].append(path)
    if not found["img"]:
        raise OtherTree("images such as img/img0001.nii.gz")
    twice = [paths for kind in found.values() for paths in kind.values() if len(paths) > 1]
    images, masks = ({case: paths[0] for case, paths in kind.items() if len(paths) == 1} for kind in found.values())
    labels = dict(enumerate(ORGANS, start=1))
    cases = tuple(
        SourceCase(
            f"BCV/{case}",
            case,
            (SourceImage(_IMAGE, path, kind="ct"),),
            (SourceMask(masks[case], _IMAGE, labels),) if case in masks else (),
        )
        for case, path in images.items()
    )
    lone = [path for case, path in masks.items() if case not in found["img"]]
    findings = [
        *(file_twice(tree.subject(*paths)) for paths in twice),
        *(mask_without_image(tree.subject(path)) for path in lone),
    ]
    return SourceDataset(_PUBLICATION, cases, tuple(findings))


BCV = Layout(
    name="bcv",
    title="BCV (BTCV), abdominal CT",
    needs="img/img0001.nii.gz and label/label0001.nii.gz, in folders such as RawData/Training",
    read=_read,
)
