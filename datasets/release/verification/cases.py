"""Cases of a release: their files, the grids and labels of these, and the folds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.image.volume import GRID_TOLERANCE_MM
from datasets.release.manifest import FOLDERS, CaseEntry
from datasets.release.manifest_1 import FOLDERS_1, Manifest1
from datasets.release.manifest_2 import FOLDERS_2, Manifest2
from datasets.release.manifest_reading import AnyCase, AnyManifest, strict_json
from datasets.release.paths import MANIFEST_NAME, MASK, SPLITS_NAME
from datasets.release.verification.contents import Facts, Kind, require_shape
from datasets.release.verification.fault import Fault, fault
from datasets.release.verification.image_start import Sizes, apart_mm
from datasets.release.verification.reading import Plan, Reading

_NEW_VERSION = "Ask the publisher for a new version."

ReadingOf = Callable[[str], "Reading | None"]
"""What came of reading a file; None where it was not read, or is not as it is listed."""


def case_plans(manifest: AnyManifest) -> dict[str, Plan]:
    """What the images and masks of cases are read for, by path."""
    plans = {}
    for case in manifest.cases:
        shape = shape_of(case)
        if shape:
            plans.update({path: Plan(path, Kind.IMAGE, shape) for path in case.image_paths.values()})
            plans[case.mask_path] = Plan(case.mask_path, Kind.MASK, shape)
    return plans


def files_seen(manifest: AnyManifest, seen: AnyManifest) -> frozenset[str]:
    """Paths of the files that both manifests hold with one digest; of cases only where all else is the same, too."""
    same = {entry.path for entry in set(manifest.files) & set(seen.files)}
    entries = {case.case: case for case in seen.cases} if _label_values(manifest) == _label_values(seen) else {}
    other = [case for case in manifest.cases if entries.get(case.case) != case or not same.issuperset(_files(case))]
    return frozenset(same - {path for case in other for path in _files(case)})


def shape_of(case: AnyCase) -> Sizes:
    """Voxels of a case's images along i, j, k; empty where the manifest holds no such thing."""
    try:
        shape = tuple(case.shape)
    except TypeError:
        return ()
    return shape if len(shape) == 3 and all(type(size) is int and size > 0 for size in shape) else ()


def case_faults(manifest: AnyManifest, reading_of: ReadingOf) -> Iterator[Fault]:
    """Cases without their files, files without a case, and what is wrong inside a case's images and mask."""
    listed = {entry.path for entry in manifest.files}
    wanted: set[str] = set()
    for code, count in Counter(case.case for case in manifest.cases).items():
        if count > 1:
            yield fault("case-duplicate", f"Expected each case once, got it {count} times.", subject=code)
    for case in manifest.cases:
        paths = _files(case)
        also = {*case.paths} if isinstance(case, CaseEntry) else set[str]()
        wanted |= paths | also
        if not listed.issuperset(paths | also):
            message = "An image or the mask of the case is not among the manifest's files."
            yield fault("case-incomplete", message, subject=case.case)
        elif not shape_of(case):
            message = "The manifest does not say how many voxels the images have along i, j and k."
            yield fault("case-shape", message, subject=case.case, remedy=_NEW_VERSION)
        else:
            yield from _content_faults(manifest, case, reading_of)
    for path in sorted(path for path in listed - wanted if path.startswith(_folders(manifest))):
        yield fault("file-without-case", "The image or mask belongs to no listed case.", subject=path)


def split_faults(folder: Path, manifest: AnyManifest) -> Iterator[Fault]:
    """Folds that leak a patient, or that do not hold every case once."""
    try:
        folds = strict_json((folder / SPLITS_NAME).read_bytes())["folds"]
        held = [str(code) for fold in folds for code in fold]
        patient_of = {case.case: case.patient for case in manifest.cases}
        patients = [{patient_of.get(str(code), "") for code in fold} for fold in folds]
    except (RejectedInput, OSError, KeyError, TypeError):
        yield fault("splits-unreadable", "The folds are not lists of case codes.", subject=SPLITS_NAME)
        return
    remedy = "Make folds of your own, and tell the publisher."
    if sorted(held) != sorted(patient_of):
        message = "A case is in no fold or in several."
        yield fault("splits-incomplete", message, subject=SPLITS_NAME, remedy=remedy)
    if sum(len(each) for each in patients) != len(set().union(*patients)):
        message = "A patient is in several folds."
        yield fault("splits-leak", message, subject=SPLITS_NAME, remedy=remedy)


def licence_faults(manifest: AnyManifest) -> Iterator[Fault]:
    """A release that does not say what may be done with it."""
    if not str(manifest.licence or "").strip():
        message = "The manifest names no licence."
        yield fault("licence-missing", message, subject=MANIFEST_NAME, remedy="Ask the publisher what you may do.")


def _files(case: AnyCase) -> set[str]:
    return {*case.image_paths.values(), case.mask_path}


def _folders(manifest: AnyManifest) -> tuple[str, ...]:
    if isinstance(manifest, Manifest1):
        return FOLDERS_1
    return FOLDERS_2 if isinstance(manifest, Manifest2) else FOLDERS


def _content_faults(manifest: AnyManifest, case: AnyCase, reading_of: ReadingOf) -> Iterator[Fault]:
    facts: dict[str, Facts] = {}
    for name, path in {MASK: case.mask_path, **case.image_paths}.items():
        reading = reading_of(path)
        if reading is not None and reading.refusal is not None:
            message = f"{path}: {reading.refusal.message}"
            yield fault(reading.refusal.code, message, subject=case.case, remedy=_NEW_VERSION)
        elif reading is not None and reading.facts is not None:
            facts[name] = reading.facts
    yield from _grid_faults(case, facts)
    yield from _voxel_faults(case, facts)
    if MASK in facts and facts[MASK].values is not None:
        yield from _label_faults(manifest, case, facts[MASK].values or ())


def _grid_faults(case: AnyCase, facts: Mapping[str, Facts]) -> Iterator[Fault]:
    for name, found in facts.items():
        try:
            require_shape(shape_of(case), found.shape)
        except RejectedInput as refusal:
            yield fault(refusal.code, refusal.message, subject=case.case, remedy=_NEW_VERSION)
            return
        distance = apart_mm(found.shape, found.rows, facts.get(MASK, found).rows)
        if distance > GRID_TOLERANCE_MM:
            message = f"The mask and the image {name} do not lie on one grid: a corner is {distance:.3g} mm off."
            yield fault("grid-mismatch", message, subject=case.case, remedy=_NEW_VERSION)
            return


def _voxel_faults(case: AnyCase, facts: Mapping[str, Facts]) -> Iterator[Fault]:
    if not isinstance(case, CaseEntry):
        return
    for name, found in facts.items():
        expected = case.voxels.get(name, "none")
        if found.voxels != expected:
            message = f"{name}: expected voxels of SHA-256 {expected[:12]}…, got {found.voxels[:12]}…"
            yield fault("voxels-changed", message, subject=case.case, remedy=_NEW_VERSION)


def _label_faults(manifest: AnyManifest, case: AnyCase, values: tuple[int, ...]) -> Iterator[Fault]:
    """Values of a mask that the manifest does not name, and a mask that is empty although it should not be."""
    held = [value for value in values if value]
    unknown = [value for value in held if value not in _label_values(manifest)]
    if unknown:
        message = f"The mask holds values that the manifest does not name: {', '.join(map(str, unknown[:5]))}."
        yield fault("mask-labels", message, subject=case.case, remedy=_NEW_VERSION)
    if bool(held) == bool(case.mask_empty):
        said, found = ("empty", "it is not") if held else ("not empty", "it is")
        message = f"The manifest says that the mask is {said}, and {found}."
        yield fault("mask-empty", message, subject=case.case, remedy=_NEW_VERSION)


def _label_values(manifest: AnyManifest) -> set[int]:
    if isinstance(manifest, Manifest1):
        return {int(value) for value in manifest.labels if str(value).isdecimal()}
    return {label.value for label in manifest.labels}
