#!/usr/bin/env python3
"""Turns this release into other layouts. It needs Python 3.8 or newer and nothing else, and changes nothing in here.

    python3 convert.py nnunet ../nnUNet_raw    nnU-Net's raw layout, with the suggested folds
    python3 convert.py slicer ../slicer        each case's segments with their names, for 3D Slicer

nnU-Net gets the images that every case has, as channels; labels are numbered 1, 2, 3 as it wants them. Its folder also
holds splits_final.json, for nnUNet_preprocessed. A Slicer file (.seg.nrrd) lies on the same voxels as the images of its
case: open both.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent

_HEADER_BYTES = 352
_UINT8 = 2
_COLOURS = ("0.91 0.35 0.05", "0.06 0.60 0.68", "0.18 0.62 0.30", "0.58 0.32 0.80", "0.85 0.65 0.10", "0.75 0.20 0.45")


def main(arguments: list[str], home: Path = HOME) -> int:
    """Reads the command line, and writes the layout.

    Args:
        arguments: Behind the script's name.
        home: The release's folder.
    """
    parser = argparse.ArgumentParser(description="Turns this release into nnU-Net's layout or Slicer's segmentations.")
    parser.add_argument("layout", choices=sorted(_LAYOUTS))
    parser.add_argument("output", type=Path, help="a folder outside of the release; made where it is not there")
    parser.add_argument("--number", type=int, default=1, help="of the dataset in nnU-Net, 1 to 999")
    given = parser.parse_args(arguments)
    output = given.output.resolve()
    if home == output or home in output.parents:
        parser.error("the output lies inside the release, which would then no longer verify")
    if not 1 <= given.number <= 999:
        parser.error("the number is none of 1 to 999")
    manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
    sys.stdout.write(f"{_LAYOUTS[given.layout](manifest, home, output, given.number)}\n")
    return 0


def write_nnunet(manifest: dict[str, Any], home: Path, output: Path, number: int) -> Path:
    """Writes DatasetNNN_Name; returns it."""
    cases = manifest["cases"]
    roles = [role for role in manifest["roles"] if all(role["name"] in case["images"] for case in cases)]
    labels = sorted(manifest["labels"], key=lambda label: int(label["value"]))
    values = {int(label["value"]): at for at, label in enumerate(labels, start=1)}
    title = "".join(word.capitalize() for word in manifest["name"].split("-"))
    folder = _new_folder(output / f"Dataset{number:03d}_{title}")
    for case in cases:
        for channel, role in enumerate(roles):
            _copy(home / case["images"][role["name"]], folder / "imagesTr" / f"{case['case']}_{channel:04d}.nii.gz")
        _copy_mask(home / case["mask"], folder / "labelsTr" / f"{case['case']}.nii.gz", values)
    dataset = {
        "channel_names": {
            str(at): "CT" if role["kind"].startswith("ct") else role["title"] for at, role in enumerate(roles)
        },
        "labels": {"background": 0, **{label["name"]: values[int(label["value"])] for label in labels}},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "name": title,
        "release": manifest["version"],
        "licence": manifest["licence"],
    }
    _write_json(folder / "dataset.json", dataset)
    folds = json.loads((home / "splits.json").read_text(encoding="utf-8"))["folds"]
    everybody = sorted(code for fold in folds for code in fold)
    splits = [{"train": [code for code in everybody if code not in set(fold)], "val": sorted(fold)} for fold in folds]
    _write_json(folder / "splits_final.json", splits)
    return folder


def write_slicer(manifest: dict[str, Any], home: Path, output: Path, _number: int) -> Path:
    """Writes a .seg.nrrd of each case; returns their folder."""
    folder = _new_folder(output)
    labels = sorted(manifest["labels"], key=lambda label: int(label["value"]))
    for case in manifest["cases"]:
        mask = _read_mask(home / case["mask"])
        content = _nrrd_header(mask, labels).encode("utf-8") + gzip.compress(mask[_HEADER_BYTES:], 6, mtime=0)
        (folder / f"{case['case']}.seg.nrrd").write_bytes(content)
    return folder


_LAYOUTS = {"nnunet": write_nnunet, "slicer": write_slicer}


def _new_folder(folder: Path) -> Path:
    """The folder, which must not hold anything yet."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: nothing was written. Give another folder, or empty it.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _copy_mask(source: Path, target: Path, values: dict[int, int]) -> None:
    """Copies a mask; where its values are not 1, 2, 3, each becomes the number of its label."""
    if all(value == number for value, number in values.items()):
        _copy(source, target)
        return
    mask = _read_mask(source)
    table = bytes(values.get(value, 0) for value in range(256))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(mask[:_HEADER_BYTES] + mask[_HEADER_BYTES:].translate(table), 6, mtime=0))


def _read_mask(path: Path) -> bytes:
    """A mask's header and voxels; masks of a release are NIfTI-1 of one byte a voxel, little-endian."""
    content = gzip.decompress(path.read_bytes())
    size, kind, offset = (
        struct.unpack_from("<i", content)[0],
        struct.unpack_from("<h", content, 70)[0],
        _offset(content),
    )
    i, j, k = struct.unpack_from("<3h", content, 42)
    if (size, kind, offset) != (348, _UINT8, _HEADER_BYTES) or len(content) != offset + i * j * k:
        raise SystemExit(f"{path.name} is not a mask of a release: verify the release, or fetch it again.")
    return content


def _offset(content: bytes) -> int:
    return int(struct.unpack_from("<f", content, 108)[0])


def _nrrd_header(mask: bytes, labels: list[dict[str, Any]]) -> str:
    """The header of Slicer's segmentation: NIfTI's axes point right, anterior, superior; these left, posterior."""
    sizes = struct.unpack_from("<3h", mask, 42)
    rows = [struct.unpack_from("<4f", mask, 280 + 16 * axis) for axis in range(3)]
    columns = [(-rows[0][at], -rows[1][at], rows[2][at]) for at in range(4)]
    vectors = ["(" + ",".join(f"{value + 0.0:.9g}" for value in column) + ")" for column in columns]
    lines = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 3",
        "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, sizes)),
        "space directions: " + " ".join(vectors[:3]),
        "kinds: domain domain domain",
        "encoding: gzip",
        "space origin: " + vectors[3],
    ]
    extent = " ".join(f"0 {size - 1}" for size in sizes)
    for at, label in enumerate(labels):
        lines += [f"Segment{at}_{key}:={value}" for key, value in _segment(label, at, extent).items()]
    lines += ["Segmentation_ContainedRepresentationNames:=Binary labelmap|"]
    lines += ["Segmentation_MasterRepresentation:=Binary labelmap", "Segmentation_ReferenceImageExtentOffset:=0 0 0"]
    return "\n".join(lines) + "\n\n"


def _segment(label: dict[str, Any], at: int, extent: str) -> dict[str, str]:
    name = label["name"].replace("\\", "\\\\")
    return {
        "Color": _COLOURS[at % len(_COLOURS)],
        "ColorAutoGenerated": "0",
        "Extent": extent,
        "ID": f"Segment_{label['value']}",
        "LabelValue": str(label["value"]),
        "Layer": "0",
        "Name": name,
        "NameAutoGenerated": "0",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
