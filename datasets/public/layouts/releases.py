"""Releases of Maskloop, of every schema that `datasets.release` reads: by their manifest, whatever their tree."""

from collections.abc import Mapping
from typing import Protocol

from datasets.errors import RejectedInput
from datasets.file_tree import FileTree
from datasets.files import sha256_of_file
from datasets.finding import Finding, Level
from datasets.public.dataset import Publication, SourceCase, SourceDataset, SourceImage, SourceMask
from datasets.public.documents import said
from datasets.public.layout import Layout, OtherTree
from datasets.release.correcting.given_away import require_nobody_withdrawn
from datasets.release.manifest_reading import AnyManifest, read_manifest
from datasets.release.paths import MANIFEST_NAME

_MOST_BYTES = 100_000_000


class _Entry(Protocol):
    """A case in a manifest of any schema, which says itself where its files lie."""

    @property
    def case(self) -> str: ...
    @property
    def patient(self) -> str: ...
    @property
    def tissue_type(self) -> str: ...
    @property
    def anatomical_site(self) -> str: ...
    @property
    def mask_empty(self) -> bool: ...
    @property
    def image_paths(self) -> dict[str, str]: ...
    @property
    def mask_path(self) -> str: ...


def _read(tree: FileTree) -> SourceDataset:
    manifest = _manifest(tree)
    require_nobody_withdrawn(tree.folder)
    digests = {entry.path: entry.sha256 for entry in manifest.files}
    cases: list[SourceCase] = []
    findings: list[Finding] = []
    for entry in manifest.cases:
        paths = [*entry.image_paths.values(), entry.mask_path]
        if damage := _damage(tree, paths, digests):
            findings.append(damage)
        else:
            cases.append(_case(entry, manifest, digests))
    title = f"{manifest.name} {manifest.version}"
    whole = {"title": title, "licence": manifest.licence, "citation": f"{title}, digest {manifest.release_digest}"}
    return SourceDataset(
        Publication(**{key: said(whole, key) for key in whole}),
        tuple(cases),
        tuple(findings),
        is_case_table_its_own=True,
    )


def _manifest(tree: FileTree) -> AnyManifest:
    path = tree.file(MANIFEST_NAME)
    if MANIFEST_NAME not in tree.numbers or path.is_symlink() or path.stat().st_size > _MOST_BYTES:
        raise OtherTree(f"a {MANIFEST_NAME} at the top")
    try:
        return read_manifest(path.read_bytes())
    except RejectedInput as error:
        raise OtherTree(f"a {MANIFEST_NAME} of a release ({error.code})") from error


def _labels(manifest: AnyManifest) -> dict[int, str]:
    """Value to name; schema 1 has them by the value in decimal."""
    named = manifest.labels
    if isinstance(named, Mapping):
        return {int(value): str(name) for value, name in named.items() if value.isdecimal() and int(value)}
    return {label.value: label.name for label in named}


def _case(entry: "_Entry", manifest: AnyManifest, digests: Mapping[str, str]) -> SourceCase:
    kinds = {role.name: getattr(role, "kind", "") for role in getattr(manifest, "roles", ())}
    images = tuple(
        SourceImage(role, path, kind=kinds.get(role, ""), sha256=digests[path])
        for role, path in entry.image_paths.items()
    )
    named = vars(entry)
    drawn = named.get("drawn_role") or named["annotated_sequence"]  # schema 1 has the latter
    mask = SourceMask(
        entry.mask_path, drawn, _labels(manifest), may_be_empty=entry.mask_empty, sha256=digests[entry.mask_path]
    )
    return SourceCase(
        f"{manifest.name}/{entry.patient}",
        entry.case,
        images,
        (mask,),
        tissue_type=entry.tissue_type,
        anatomical_site=entry.anatomical_site,
        visit=entry.case,
    )


def _damage(tree: FileTree, paths: list[str], digests: Mapping[str, str]) -> Finding | None:
    """Why a case is left out: a file that is not there, or not the one of the manifest."""
    absent = [path for path in paths if path not in tree.numbers or path not in digests]
    if absent:
        message = f"{len(absent)} file(s) of a case that the release lists are not there; the case is left out."
        remedy = "Fetch the release again from its publisher."
        there = [path for path in paths if path in tree.numbers]
        return Finding(Level.ERROR, "source-file-absent", message, remedy, tree.subject(*there) or "the release")
    changed = [path for path in paths if not _is_whole(tree, path, digests[path])]
    if changed:
        message = "A file is not the one that the release lists, by its digest; its case is left out."
        remedy = "Run verify_release on the folder, and fetch the release again from its publisher."
        return Finding(Level.ERROR, "source-file-changed", message, remedy, tree.subject(*changed))
    return None


def _is_whole(tree: FileTree, path: str, sha256: str) -> bool:
    file = tree.file(path)
    try:
        return not file.is_symlink() and sha256_of_file(file) == sha256
    except OSError:
        return False


RELEASE = Layout(
    name="release",
    title="a release of Maskloop",
    needs=f"the {MANIFEST_NAME} of a release, and every file that it lists",
    read=_read,
    has_own_names=False,
)
