"""From a published dataset, in a folder or an archive, to cases: an ingest that follows the dataset's own lists."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from annotation_backend.cases.ingesting.alone import alone_in
from annotation_backend.cases.ingesting.ingest import ingest
from annotation_backend.cases.ingesting.run_values import IngestReport, PublishedSource
from annotation_backend.cases.workers.scratch import new_folder, scratch_folder
from annotation_backend.studies.models import Study
from datasets.archives.unpack import unpack
from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.public.dataset import Publication
from datasets.public.layout import Layout
from datasets.public.recognise import Recognised, layout_called, recognised

if TYPE_CHECKING:
    from curation.scanning.source_listing import SaidByPerson, SourceListing
    from datasets.progress import ProgressOf


@dataclass(frozen=True)
class DatasetImport:
    """Result of importing a dataset.

    Args:
        layout: How it was laid out.
        publication: Whose it is.
        case_count: How many cases it lists.
        roles: Image of the dataset to the study's; empty for none. Shown names only.
        labels: Label of the dataset to the study's; empty for one that was left out. Shown names only.
        report: What came in.
    """

    layout: Layout
    publication: Publication
    case_count: int
    roles: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str] = field(repr=False)
    report: IngestReport


def import_dataset(
    path: Path,
    *,
    study: Study,
    progress: "ProgressOf",
    layout: str = "",
    said: "SaidByPerson | None" = None,
    dry_run: bool = False,
    workers: int | None = None,
) -> DatasetImport:
    """Brings a published dataset in as cases of a study, as `ingest` does; its masks come as imported ones.

    Running it again changes nothing; a run that was killed goes on, and unpacks its archive again.

    Args:
        path: A folder, or a ZIP or tar archive of one.
        study: The study that it comes into.
        progress: Makes the displays of how far it is.
        layout: Name of its layout; empty to find it out.
        said: What a person says of its images and labels.
        dry_run: Only look and report.
        workers: As for `ingest`.

    Raises:
        RejectedInput: What `unpack`, `recognised` and `listing_of` refuse.
        TryAgain: Another ingest into the study is at work.
    """
    from curation.scanning.source_listing import listing_of

    named = layout_called(layout) if layout else None
    with nullcontext() if dry_run else alone_in(study), _opened(path, named, progress) as found:
        are_names_shown = found.layout.has_own_names
        listing = listing_of(found.dataset, found.tree, study.protocol, said=said, are_names_shown=are_names_shown)
        _require_cases(found, listing)
        report = ingest(
            found.tree.folder,
            study=study,
            progress=progress("reading file"),
            storing=progress("storing case"),
            dry_run=dry_run,
            workers=workers,
            source=PublishedSource(listing.laid_out, _record_of(found)),
        )
    return DatasetImport(
        found.layout,
        found.dataset.publication,
        len(found.dataset.cases),
        {name: role or "" for name, role in listing.roles.items()} if are_names_shown else {},
        dict(listing.labels) if are_names_shown else {},
        report,
    )


@contextmanager
def _opened(path: Path, layout: Layout | None, progress: "ProgressOf") -> Iterator[Recognised]:
    """The dataset, unpacked where it is an archive, with volumes where it holds other pictures."""
    with scratch_folder() as scratch:
        folder = path
        if not path.is_dir():
            folder = new_folder(scratch)
            unpack(path, folder, progress=progress("unpacking"))
        found = recognised(FileTree.of(folder), layout)
        if found.layout.prepare is not None:
            tree, dataset = found.layout.prepare(found.tree, found.dataset, new_folder(scratch))
            found = Recognised(found.layout, tree, dataset)
        yield found


def _require_cases(found: Recognised, listing: "SourceListing") -> None:
    if not found.dataset.cases:
        said = " ".join(map(str, listing.laid_out.findings))
        raise RejectedInput(
            "source-empty",
            f"No case of the dataset can be read. {said}".strip(),
            remedy=f"It needs {found.layout.needs}.",
        )


def _record_of(found: Recognised) -> dict[str, str]:
    publication = found.dataset.publication
    return {
        "layout": found.layout.name,
        "title": publication.title,
        "licence": publication.licence,
        "citation": publication.citation,
    }
