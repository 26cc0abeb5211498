"""Exports of a release of real patients, each read by the programs that it is made for.

    python -m benchmarks.releases.export_checks ../shared/data/sts/nifti OUT [--patients 34] [--bids VALIDATOR]

Two releases are built of the prepared STS collection: T1 alone, and PET, CT and T1 of a few patients, the CT of one of
whom is missing; both are exported into every format. A third is made of the raw DICOM series beside them, and its
masks are exported onto these very series. Each release is described, verified by its own `verify.py`, and comes back
through our own importers, as every export does. Programs that are not there are named as not tried: nnU-Net
(`MASKLOOP_NNUNET`), node with @cornerstonejs/adapters (`MASKLOOP_NODE_MODULES`), the BIDS validator (`--bids`) and
TorchIO (installed beside this). Prints a table; exit status 1 if a program finds a fault.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.releases.sts_releases import mixed_release, series_release, t1_release
from datasets.dicom.header import read_header
from datasets.dicom_masks.segmentation import read_segment_set
from datasets.dicom_series.series import DicomSeries, group_series, read_series
from datasets.file_tree import FileTree
from datasets.formats.nifti import read_mask, read_volume
from datasets.image.orientation import as_ras
from datasets.image.volume import Grid, Volume
from datasets.public.recognise import recognised
from datasets.release.exports.export import plan_export, write_export
from datasets.release.exports.formats import FORMATS
from datasets.release.exports.options import ExportOptions, Missing, SegmentForm
from datasets.release.exports.source import ReleaseSource, SourceCase, open_release
from tests.datasets.release.exports.readers import READERS
from tests.datasets.release.exports.test_nnunet import CHECK

READ_SEG = Path(__file__).parents[2] / "tests" / "datasets" / "release" / "exports" / "read_seg.mjs"
_MOST_SECONDS = 60
EXPORTS = {
    **{name: (name, {}) for name in ("nnunet", "decathlon", "monai", "mstt-199")},
    **{f"dicom-seg {form}": ("dicom-seg", {"segments": form}) for form in SegmentForm},
}


@dataclass(frozen=True)
class Outcome:
    """What a program said.

    Args:
        program: Which.
        read: Of what.
        said: In words.
        is_fault: Whether it found something wrong; None where it was not tried.
    """

    program: str
    read: str
    said: str
    is_fault: bool | None = False

    @property
    def line(self) -> str:
        """A row of the table."""
        state = {None: "not tried", True: "FAULT", False: "sound"}[self.is_fault]
        return f"| {self.program} | {self.read} | {state} | {self.said} |"


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ran(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A program's result."""
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)  # noqa: S603 (our own words)


def exported(source: ReleaseSource, out: Path) -> dict[str, Path]:
    """The release in every format, by what each is called here."""
    folders = {}
    for called, (name, options) in EXPORTS.items():
        folders[called] = out / source.title / called.replace(" ", "-")
        chosen = ExportOptions(missing=Missing.LEAVE_CASE_OUT, **options)
        findings = write_export(plan_export(source, FORMATS[name], chosen), folders[called])
        kinds = sorted({finding.code for finding in findings})
        say(f"exported {source.title} as {called}: {len(findings)} finding(s) {' '.join(kinds)}")
    return folders


def outcomes(source: ReleaseSource, folders: dict[str, Path], *, bids: str) -> Iterator[Outcome]:
    """Every program on every export of a release."""
    title = source.title
    yield _of_verify(source)
    yield _of_bids(source, bids)
    yield _of_croissant(source)
    yield _of_nnunet(folders["nnunet"], title)
    yield _of_datalists(source, folders)
    for name in READERS:
        yield _of_reader(source, folders, name)
    for form in SegmentForm:
        folder = folders[f"dicom-seg {form}"]
        yield _of_highdicom(source, folder, form)
        yield _of_our_reader(source, folder, form)
        yield _of_adapters(source, folder, form)
    yield from _of_importers(source, folders)


def _of_bids(source: ReleaseSource, program: str) -> Outcome:
    if not program:
        return Outcome("bids-validator-deno", source.title, "", None)
    done = ran(program, source.folder, "--json")
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    codes = sorted({issue["code"] for issue in issues})
    return Outcome("bids-validator-deno", source.title, f"{len(errors)} errors; {' '.join(codes)}", bool(errors))


def _of_verify(source: ReleaseSource) -> Outcome:
    """The script inside the release, with Python alone."""
    done = ran(sys.executable, "-I", "-S", source.folder / "verify.py")
    return Outcome("verify.py", source.title, done.stderr.strip().splitlines()[-1], done.returncode != 0)


def _of_croissant(source: ReleaseSource) -> Outcome:
    """Validation, and the first record of each record set."""
    import mlcroissant

    begun = time.monotonic()
    dataset = mlcroissant.Dataset(source.folder / "croissant.json")
    issues = dataset.metadata.issues
    slowest, empty = 0.0, 0
    for records in dataset.metadata.record_sets:
        started = time.monotonic()
        empty += next(iter(dataset.records(records.uuid)), None) is None
        slowest = max(slowest, time.monotonic() - started)
    said = f"{len(issues.errors)} errors, {len(issues.warnings)} warnings; a record of each of "
    said += f"{len(dataset.metadata.record_sets)} record sets, the slowest in {slowest:.1f} s"
    return Outcome(
        "mlcroissant", source.title, said, bool(issues.errors) or empty > 0 or time.monotonic() - begun > _MOST_SECONDS
    )


def _of_nnunet(folder: Path, title: str) -> Outcome:
    environment = os.environ.get("MASKLOOP_NNUNET")
    if not environment:
        return Outcome("nnU-Net verify_dataset_integrity", title, "", None)
    python = Path(environment) / "bin" / "python"
    done = ran(python, "-c", CHECK, folder, cwd=folder)
    is_sound = done.stdout.strip().endswith("sound")
    return Outcome("nnU-Net verify_dataset_integrity", title, "" if is_sound else done.stderr[-300:], not is_sound)


def _of_datalists(source: ReleaseSource, folders: dict[str, Path]) -> Outcome:
    from monai.data import load_decathlon_datalist

    [task] = folders["decathlon"].glob("Task*")
    lists = ((task / "dataset.json", task), (folders["monai"] / "datalist.json", source.folder))
    counts, absent = [], 0
    for path, base in lists:
        entries = load_decathlon_datalist(str(path), is_segmentation=True, data_list_key="training", base_dir=str(base))
        counts.append(len(entries))
        files = [file for entry in entries for file in (entry["image"], entry["label"])]
        flat = [one for file in files for one in (file if isinstance(file, list) else [file])]
        absent += sum(not Path(file).exists() for file in flat)
    said = f"{counts[0]} and {counts[1]} cases, {absent} files absent"
    return Outcome("MONAI load_decathlon_datalist", source.title, said, bool(absent) or 0 in counts)


def _of_reader(source: ReleaseSource, folders: dict[str, Path], name: str) -> Outcome:
    """Another program's voxels and affines of every image, against ours of the release."""
    if name == "torchio" and importlib.util.find_spec("torchio") is None:
        return Outcome(name, source.title, "", None)
    read, count, furthest, faults = READERS[name], 0, 0.0, 0
    [raw], [task] = (folders["nnunet"] / "raw").iterdir(), folders["decathlon"].glob("Task*")
    for case in _held(source, raw):
        whole = source.volume(case, case.drawn_role)
        role = [each.name for each in source.roles].index(case.drawn_role)
        files = {
            "release": source.folder / case.images[case.drawn_role],
            "nnunet": raw / "imagesTr" / f"{case.code}_{role:04d}.nii.gz",
            "decathlon": task / "imagesTr" / f"{case.code}.nii.gz",
            "series": folders["dicom-seg binary"] / case.code / "image",
        }
        for path in files.values():
            data, affine = read(path)
            data = data[role] if data.ndim == 4 else data
            found, expected = (as_ras(each) for each in (_as_volume(data, affine), whole))
            largest = float(np.abs(expected.data).max())
            off = np.abs(np.asarray(found.data, np.float64) - expected.data).max()
            furthest = max(furthest, float(np.abs(found.grid.affine - expected.grid.affine).max()))
            faults += not found.grid.matches(expected.grid) or off > largest / 65000
            count += 1
    return Outcome(name, source.title, f"{count} images, affines within {furthest:.1e} mm", bool(faults))


def _held(source: ReleaseSource, raw: Path) -> list[SourceCase]:
    """The cases that an export of all images holds."""
    return [case for case in source.cases if (raw / "labelsTr" / f"{case.code}.nii.gz").exists()]


def _as_volume(data: np.ndarray, affine: np.ndarray) -> Volume:
    return Volume(data, Grid((data.shape[0], data.shape[1], data.shape[2]), affine))


def _labels(source: ReleaseSource, case: SourceCase) -> Volume:
    mask = source.mask(case)
    return as_ras(Volume(mask.data, mask.grid))


def _of_highdicom(source: ReleaseSource, folder: Path, form: SegmentForm) -> Outcome:
    from highdicom.seg import segread
    from pydicom import dcmread

    faults = 0
    for case in source.cases:
        path = folder / case.code / "segmentation.dcm"
        found = segread(path)
        volume = found.get_volume(combine_segments=True)
        voxels = int((volume.array > 0).sum())
        faults += voxels != int((_labels(source, case).data > 0).sum())
        faults += int((dcmread(path).pixel_array > 0).sum()) != voxels
    return Outcome(f"highdicom and pydicom, {form}", source.title, f"{len(source.cases)} segmentations", bool(faults))


def _of_our_reader(source: ReleaseSource, folder: Path, form: SegmentForm) -> Outcome:
    name = f"our reader of DICOM SEG, {form}"
    return _compared(source, name, _our_reader(folder, lambda code: folder / code / "image"))


def _our_reader(folder: Path, place: Callable[[str], Path]) -> Callable[[SourceCase], Volume]:
    """Reads a case's segmentation on the series in a place."""

    def read(case: SourceCase) -> Volume:
        masks = read_segment_set(folder / case.code / "segmentation.dcm", _series(place(case.code))).sound()
        first = next(iter(masks.values()))
        return Volume(np.any([mask.foreground for mask in masks.values()], axis=0).astype(np.uint8), first.grid)

    return read


def _of_adapters(
    source: ReleaseSource, folder: Path, form: SegmentForm, *, place: Callable[[str], Path] | None = None
) -> Outcome:
    modules = os.environ.get("MASKLOOP_NODE_MODULES")
    name = f"@cornerstonejs/adapters, {form}"
    if not modules or not shutil.which("node"):
        return Outcome(name, source.title, "", None)

    def read(case: SourceCase) -> Volume:
        image, out = place(case.code) if place else folder / case.code / "image", folder.parent / "labels.raw"
        done = ran("node", READ_SEG, modules, image, folder / case.code / "segmentation.dcm", out)
        if done.returncode:
            raise ValueError(done.stderr[-300:])
        shape = json.loads(done.stdout.splitlines()[-1])["shape"]
        labels = np.frombuffer(out.read_bytes(), np.uint8).reshape(shape).transpose(2, 1, 0)
        return Volume((labels > 0).astype(np.uint8), read_series(_series(image)).grid)

    return _compared(source, name, read)


def _compared(source: ReleaseSource, name: str, read: Callable[[SourceCase], Volume]) -> Outcome:
    """Whether the masks that a program reads are the release's, voxel by voxel."""
    problems = []
    for case in source.cases:
        try:
            found = as_ras(read(case))
        except ValueError as error:
            problems.append(f"{case.code}: {error}")
            continue
        expected = _labels(source, case)
        if not (found.grid.matches(expected.grid) and np.array_equal(found.data > 0, expected.data > 0)):
            problems.append(f"{case.code}: other voxels")
    said = f"{len(source.cases) - len(problems)} of {len(source.cases)} masks equal"
    return Outcome(name, source.title, "; ".join([said, *problems[:2]]), bool(problems))


def _series(folder: Path) -> DicomSeries:
    (series,) = group_series(read_header(path) for path in sorted(folder.iterdir()))
    return series


def _of_importers(source: ReleaseSource, folders: dict[str, Path]) -> Iterator[Outcome]:
    """Our own importers of published datasets: layout, cases, masks."""
    places = {"release": source.folder, "nnunet": folders["nnunet"] / "raw", "decathlon": folders["decathlon"]}
    places |= {f"dicom-seg {form}": folders[f"dicom-seg {form}"] for form in SegmentForm}
    for name, folder in places.items():
        with tempfile.TemporaryDirectory() as scratch:
            yield _of_importer(source, name, folder, Path(scratch))
    found = recognised(FileTree.of(folders["mstt-199"]))
    said = f"{len(found.dataset.cases)} cases, {len(list(found.dataset.masks))} masks"
    yield Outcome(f"import_dataset, {found.layout.name}", source.title, said, found.layout.name != "mstt-199")


def _of_importer(source: ReleaseSource, name: str, folder: Path, scratch: Path) -> Outcome:
    """The voxels of one layout against the release's; a derived series has 16 bits for numbers with fractions."""
    by_code = {case.code: case for case in source.cases}
    found = recognised(FileTree.of(folder))
    tree, dataset = found.tree, found.dataset
    if found.layout.prepare is not None:
        tree, dataset = found.layout.prepare(tree, dataset, scratch)
    share, images, faults = (1 / 65000 if name.startswith("dicom") else 0.0), 0, 0
    for case in dataset.cases:
        mask = read_mask(tree.file(case.masks[0].path))
        same, expected = as_ras(Volume(mask.data, mask.grid)), _labels(source, by_code[case.case])
        faults += not (same.grid.matches(expected.grid) and np.array_equal(same.data, expected.data))
        for image in case.images:
            role = "ct" if image.name == "CT" else image.name
            data = as_ras(read_volume(tree.file(image.path), channel=image.channel)).data
            wanted = as_ras(source.volume(by_code[case.case], role)).data
            off = float(np.abs(np.subtract(data, wanted, dtype=np.float64)).max())
            faults += off > share * float(np.abs(wanted).max())
            images += 1
    said = f"{len(dataset.cases)} cases, {images} images; {faults} images or masks with other voxels"
    return Outcome(f"import_dataset, {name}", source.title, said, bool(faults) or not dataset.cases)


def _on_their_series(dicom: Path, out: Path) -> Iterator[Outcome]:
    """Masks on the series that they were drawn on, found among all series of the folder."""
    source = open_release(series_release(dicom, out))
    say(f"{source.title}: {len(source.cases)} cases, digest {source.digest}")
    series = {
        header.series_uid: path.parent
        for path in dicom.rglob("*")
        if path.is_file()
        for header in [read_header(path)]
        if header.is_image
    }
    for form in SegmentForm:
        folder = out / "exports" / source.title / str(form)
        findings = write_export(
            plan_export(source, FORMATS["dicom-seg"], ExportOptions(segments=form, dicom=dicom)), folder
        )
        said = json.loads((folder / "export.json").read_text())["series"]
        given = sum(each == "given" for each in said.values())
        codes = " ".join(sorted({finding.code for finding in findings}))
        yield Outcome(f"series found, {form}", source.title, f"{given} of {len(said)} {codes}", given < len(said))
        places = {
            case.code: series[read_header(folder / case.code / "segmentation.dcm").referenced_series[0]]
            for case in source.cases
        }
        yield _of_highdicom(source, folder, form)
        yield _compared(source, f"our reader of DICOM SEG, {form}", _our_reader(folder, places.__getitem__))
        yield _of_adapters(source, folder, form, place=places.__getitem__)


def main() -> int:
    """Builds, exports, reads, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sts", type=Path, help="folder of the prepared patients")
    parser.add_argument("out", type=Path, help="an empty or new folder")
    parser.add_argument("--patients", type=int, default=34)
    parser.add_argument("--bids", default="", help="bids-validator-deno")
    options = parser.parse_args()
    rows = []
    for build in (t1_release, mixed_release):
        source = open_release(build(options.sts, options.out, patients=options.patients))
        say(f"{source.title}: {len(source.cases)} cases, digest {source.digest}")
        for outcome in outcomes(source, exported(source, options.out / "exports"), bids=options.bids):
            say(outcome.line)
            rows.append(outcome)
    raw = options.sts.parent / "dicom"
    for outcome in _on_their_series(raw, options.out) if raw.is_dir() else ():
        say(outcome.line)
        rows.append(outcome)
    return int(any(row.is_fault for row in rows))


if __name__ == "__main__":
    sys.exit(main())
