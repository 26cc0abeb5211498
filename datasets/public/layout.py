"""A layout: how one publisher lays a dataset out, what a folder needs to be one, and how it is read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from datasets.file_tree import FileTree
from datasets.public.dataset import SourceDataset

Prepared = tuple[FileTree, SourceDataset]


class OtherTree(Exception):
    """What a tree lacks to be of a layout, in the layout's own words, as the end of the sentence "Missing: …"."""


@dataclass(frozen=True)
class Layout:
    """One layout.

    Args:
        name: Its word on the command line.
        title: For people.
        needs: What a folder of it holds, as the end of the sentence "It needs …".
        read: The dataset of a tree, by names, headers and small documents, without voxels; raises `OtherTree` where the
            tree is none of the layout.
        has_own_names: Whether the names of images and labels are the layout's own words, which may be shown.
        prepare: Writes volumes where a tree holds other pictures, into an empty folder; None where it holds volumes.
    """

    name: str
    title: str
    needs: str
    read: Callable[[FileTree], SourceDataset] = field(repr=False)
    has_own_names: bool = True
    prepare: Callable[[FileTree, SourceDataset, Path], Prepared] | None = field(default=None, repr=False)
