"""Files that are missing, extra, renamed, or twins of others."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from datasets.release.paths import MANIFEST_NAME, SUMS_NAME
from datasets.release.verification.fault import Fault, fault, printable
from datasets.release.verification.lists import Expected, folded
from datasets.release.verification.pool import Deadline
from datasets.release.verification.reading import OutOfTime, Plan, read_file
from datasets.release.verification.tree import Tree


def misplaced(folder: Path, tree: Tree, listed: Mapping[str, Expected], deadline: Deadline) -> Iterator[Fault]:
    """Missing and extra files; an extra one with a missing one's bytes was renamed.

    Args:
        folder: The release's.
        tree: What lies in it.
        listed: What belongs into it.
        deadline: When to stop looking for renamed files.
    """
    lists = {MANIFEST_NAME, SUMS_NAME}  # each is listed, or was judged while it was read
    extra = sorted(set(tree.files) - set(listed) - lists)
    missing = sorted(set(listed) - set(tree.files))
    names = _by_digest(folder, tree, extra, [listed[path] for path in missing], deadline=deadline)
    for path in missing:
        other = names.pop(listed[path].sha256, None)
        if other is None:
            yield fault("file-missing", "The file is missing.", subject=path)
            continue
        extra.remove(other)
        message = f"The file is missing; its bytes are there under the name {printable(other)!r}."
        yield fault("file-renamed", message, subject=path, remedy="Give the file its name back.")
    yield from _extra(tree, extra)


def _extra(tree: Tree, extra: list[str]) -> Iterator[Fault]:
    """Files that no list names; one whose name a system may take for another file's is a twin."""
    names: dict[str, list[str]] = {}
    for path in sorted(tree.files) if extra else ():
        names.setdefault(folded(path), []).append(path)
    for path in extra:
        others = [other for other in names[folded(path)] if other != path]
        if others:
            message = f"The name differs from {printable(others[0])!r} in case or Unicode form only."
            yield fault("file-twin", message, subject=path, remedy="Take it out.")
        else:
            yield fault("file-extra", "No list names this file.", subject=path, remedy="Take it out.")


def _by_digest(
    folder: Path, tree: Tree, extra: list[str], missing: list[Expected], *, deadline: Deadline
) -> dict[str, str]:
    """Extra files by their digest, of those that may be a missing one by their size."""
    sizes = {each.bytes for each in missing}
    found: dict[str, str] = {}
    for path in extra if missing else ():
        if None not in sizes and tree.files[path] not in sizes:
            continue
        try:
            found.setdefault(read_file(folder, Plan(path), is_over=deadline.is_over).sha256, path)
        except OutOfTime:
            break
    return found
