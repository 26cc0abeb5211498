"""Which layout a folder has, and what it lacks to have one."""

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.public.dataset import SourceDataset
from datasets.public.layout import Layout, OtherTree
from datasets.public.layouts.bcv import BCV
from datasets.public.layouts.bids import BIDS
from datasets.public.layouts.decathlon import DECATHLON
from datasets.public.layouts.dicom_seg import DICOM_SEG
from datasets.public.layouts.hecktor import HECKTOR
from datasets.public.layouts.mstt_199 import MSTT_199
from datasets.public.layouts.nnunet import NNUNET
from datasets.public.layouts.releases import RELEASE
from datasets.public.layouts.sts import STS
from datasets.public.layouts.worc import WORC

LAYOUTS = (RELEASE, DICOM_SEG, STS, WORC, HECKTOR, DECATHLON, NNUNET, BCV, MSTT_199, BIDS)
"""All layouts. A release comes first: whatever tree its files lie in, its manifest says more of them."""

_MOST_DEPTH = 5
_PACKED_ALONG = ("__MACOSX",)
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Recognised:
    """A folder of a known layout.

    Args:
        layout: Which.
        tree: From the folder on that the layout begins at, which may be one below the one that was given.
        dataset: What lies in it.
    """

    layout: Layout
    tree: FileTree
    dataset: SourceDataset


def layout_called(name: str) -> Layout:
    """The layout of a name.

    Raises:
        RejectedInput: ``layout-unknown``.
    """
    found = {layout.name: layout for layout in LAYOUTS}
    if name not in found:
        raise RejectedInput(
            "layout-unknown", "There is no layout of that name.", remedy=f"Name one of {', '.join(found)}."
        )
    return found[name]


def recognised(tree: FileTree, layout: Layout | None = None) -> Recognised:
    """The dataset in a folder, or in the only folder in it, and so on.

    Args:
        tree: The folder's.
        layout: The layout that a person named; None to find it out.

    Raises:
        RejectedInput: ``layout-other-tree``: it is not of the layout that was named, with what is missing;
            ``layout-none``: it is of none; ``layout-ambiguous``: it is of several.
    """
    candidates = [layout] if layout is not None else list(LAYOUTS)
    missing = ""
    for inner in _from_here_on(tree):
        found = []
        for one in candidates:
            try:
                found.append(Recognised(one, inner, one.read(inner)))
            except OtherTree as other:
                missing = missing or str(other)
            if found and found[0].layout in (RELEASE, DICOM_SEG):
                break
        if found:
            return _only(found)
    raise _none_found(tree, layout, missing)


def _from_here_on(tree: FileTree) -> Iterator[FileTree]:
    """The tree, and those of the only folder in it, as archives have one around all they hold."""
    for _ in range(_MOST_DEPTH):
        yield tree
        inside = [folder for folder in tree.top if folder not in _PACKED_ALONG]
        if len(inside) != 1:
            return
        tree = tree.below(inside[0])


def _only(found: list[Recognised]) -> Recognised:
    if len(found) > 1:
        names = ", ".join(one.layout.name for one in found)
        raise RejectedInput(
            "layout-ambiguous",
            f"The folder may be of several layouts: {names}.",
            remedy="Name the one that is meant with --layout.",
        )
    return found[0]


def _none_found(tree: FileTree, layout: Layout | None, missing: str) -> RejectedInput:
    packed = sum(path.lower().endswith(_ARCHIVES) for path in tree.paths)
    inside = f" {packed} archive(s) in it were not unpacked: do that first." if packed else ""
    if layout is None:
        known = "; ".join(f"{one.name} ({one.needs})" for one in LAYOUTS)
        return RejectedInput(
            "layout-none",
            f"The folder is laid out as no dataset that is known here.{inside}",
            remedy=f"Give the folder that the publisher distributes, of one of these layouts: {known}. Any other "
            "folder of images is for ingest_studies.",
        )
    return RejectedInput(
        "layout-other-tree",
        f"The folder is not laid out as {layout.title}. Missing: {missing}.{inside}",
        remedy=f"It needs {layout.needs}. Without --layout the layout is found out.",
    )
