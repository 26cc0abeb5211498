"""Small trees in the true layouts of publishers, with images that lie in every way: oblique, flipped, anisotropic."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHAPE = (9, 8, 7)


def turned(degrees: float, spacing: Sequence[float]) -> NDArray[np.float64]:
    """An affine turned about the patient's x axis."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing)
    affine[:3, 3] = (-31.0, 17.5, 3.25)
    return affine


OBLIQUE = turned(20.0, (0.5, 0.6, 3.0))
FLIPPED = turned(0.0, (-0.8, -0.8, -2.5))
ANISOTROPIC = turned(0.0, (0.4, 0.4, 6.0))
AFFINES = (OBLIQUE, FLIPPED, ANISOTROPIC)
"""One for each case of a tree, in turn."""


def grey(seed: int, shape: Sequence[int] = SHAPE) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(100, 20, tuple(shape)).astype(np.float32)


def labelled(*values: int, shape: Sequence[int] = SHAPE) -> NDArray[np.uint8]:
    """Two voxels of each value, on a row of its own."""
    data = np.zeros(tuple(shape), np.uint8)
    for row, value in enumerate(values):
        data[2:4, 1 + row % 6, 1 + row // 6] = value
    return data


def put(path: Path, data: NDArray[Any], affine: NDArray[np.float64]) -> Path:
    """A NIfTI file, with compressed bytes where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def put_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def put_csv(path: Path, *rows: Sequence[object], separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=separator).writerows(rows)
    return path


def write_sts(folder: Path) -> Path:
    """The IBSI's part as NIfTI: three patients, the last without a CT."""
    for number, affine in enumerate(AFFINES, start=1):
        patient = folder / f"STS_{number:03d}"
        kinds = ("MR_T1", "CT", "PET") if number < 3 else ("MR_T1",)
        for offset, kind in enumerate(kinds):
            own = affine.copy()
            own[:3, 3] += offset  # fields of view differ
            put(patient / f"{kind}_image.nii.gz", grey(10 * number + offset), own)
            put(patient / f"{kind}_mask.nii.gz", labelled(1), own)
    put_csv(
        folder / "INFOclinical_STS.csv",
        ("Patient ID", "Age", "Sex", "Histological type", "MSKCC type", "Site of primary STS", "Grade"),
        ("STS_001", 60, "F", "pleiomorphic leiomyosarcoma", "Leiomyosarcoma", "left thigh", "High"),
        ("STS_002", 61, "M", "undifferentiated pleomorphic liposarcoma", "Liposarcoma", "right parascapusular", "High"),
        ("STS_003", 62, "M", "myxofibrosarcoma", "MFH", "right buttock", "High"),
    )
    return folder


def write_worc(folder: Path) -> Path:
    """Two lipomatous tumours, the second with two lesions, and two of the set Desmoid, laid out as XNAT does."""
    for number, name in enumerate(("Lipo-001", "Lipo-073", "Desmoid-001", "Desmoid-002")):
        affine = AFFINES[number % 3]
        inside = folder / "worc" / name
        if name.startswith("Desmoid"):
            inside = inside / f"{name}_MR" / "scans" / "1-T1" / "resources" / "NIFTI" / "files"
        put(inside / "image.nii.gz", grey(number), affine)
        for mask in ("Lipoma", "WDLPS") if name == "Lipo-073" else ("",):
            put(inside / f"segmentation{f'_{mask}' if mask else ''}.nii.gz", labelled(1), affine)
    put_csv(folder / "worc" / "pinfo_Desmoid.csv", ("Patient", "Diagnosis"), ("Desmoid-001", 1), ("Desmoid-002", 0))
    return folder


def write_hecktor(folder: Path) -> Path:
    """Three patients to learn from and one without a mask, CT and PET on grids of their own."""
    top = folder / "hecktor2021_train"
    for number, name in enumerate(("CHGJ007", "CHUS010", "CHUM003", "CHUP025")):
        inside = folder / "hecktor2021_test" / "hecktor_nii_test" if name == "CHUP025" else top / "hecktor_nii"
        affine = AFFINES[number % 3]
        put(inside / f"{name}_ct.nii.gz", grey(number), affine)
        put(inside / f"{name}_pt.nii.gz", grey(20 + number, (8, 7, 6)), affine @ np.diag((1.1, 1.1, 1.2, 1.0)))
        if name != "CHUP025":
            put(inside / f"{name}_gtvt.nii.gz", labelled(1), affine)
    put_csv(
        top / "hecktor2021_patient_info_training.csv",
        ("PatientID", "CenterID", "Gender (1=M,0=F)", "Age"),
        ("CHGJ007", 1, 1, 60),
        ("CHUS010", 5, 0, 61),
        ("CHUM003", 4, 0, 62),
        ("CHGJ999", 1, 0, 63),
    )
    return folder


def write_decathlon(
    folder: Path,
    channels: Sequence[str] = ("T1w", "T2w"),
    *,
    labels: Mapping[str, str] | None = None,
    values: Sequence[int] = (1, 2),
) -> Path:
    """Three cases of a task, a channel in each volume of a 4D file, and one without a label."""
    names = [f"tumour_{number:03d}" for number in (1, 2, 3)]
    put_json(
        folder / "dataset.json",
        {
            "name": "Tumours",
            "description": "phantoms",
            "licence": "CC-BY-SA 4.0",
            "modality": {str(number): name for number, name in enumerate(channels)},
            "labels": labels or {"0": "background", "1": "tumour", "2": "edema"},
            "training": [
                {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names
            ],
            "test": ["./imagesTs/tumour_009.nii.gz"],
        },
    )
    for number, name in enumerate([*names, "tumour_009"]):
        stack = np.stack([grey(10 * number + channel) for channel in range(len(channels))], axis=-1)
        part = "imagesTs" if name == "tumour_009" else "imagesTr"
        affine = AFFINES[number % 3]
        put(folder / part / f"{name}.nii.gz", stack if len(channels) > 1 else stack[..., 0], affine)
        if part == "imagesTr":
            put(folder / "labelsTr" / f"{name}.nii.gz", labelled(*values), affine)
    return folder


def write_nnunet(folder: Path, *, version: int = 2, channels: Sequence[str] = ("T1", "T2")) -> Path:
    """Three cases, each channel in a file of its own."""
    names = [f"case_{number:03d}" for number in (1, 2, 3)]
    numbered = {str(number): name for number, name in enumerate(channels)}
    document: dict[str, Any] = {"numTraining": len(names), "file_ending": ".nii.gz"}
    if version == 2:
        document |= {"channel_names": numbered, "labels": {"background": 0, "tumour": 1, "oedema": 2}}
    else:
        listed = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
        document |= {"modality": numbered, "labels": {"0": "background", "1": "tumour", "2": "oedema"}}
        document |= {"training": listed, "test": [], "tensorImageSize": "4D"}
    put_json(folder / "dataset.json", document)
    for number, name in enumerate(names):
        for channel in range(len(channels)):
            put(folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz", grey(10 * number + channel), AFFINES[number])
        put(folder / "labelsTr" / f"{name}.nii.gz", labelled(1, 2), AFFINES[number])
    return folder


def write_bcv(folder: Path) -> Path:
    """Three abdomens with their thirteen organs, and one without."""
    training, testing = folder / "RawData" / "Training", folder / "RawData" / "Testing"
    for number, case in enumerate((1, 2, 3)):
        put(training / "img" / f"img{case:04d}.nii.gz", grey(number), AFFINES[number])
        put(training / "label" / f"label{case:04d}.nii.gz", labelled(*range(1, 14)), AFFINES[number])
    put(testing / "img" / "img0061.nii.gz", grey(9), OBLIQUE)
    return folder


def write_bids(folder: Path) -> Path:
    """Two subjects with lesion masks among the derivatives of raw images, one by visits, and one with a label map."""
    put_json(
        folder / "dataset_description.json",
        {"Name": "Thighs", "BIDSVersion": "1.10.0", "License": "CC0", "HowToAcknowledge": "Cite nobody."},
    )
    lesions, maps = folder / "derivatives" / "lesions", folder / "derivatives" / "maps"
    for number, subject in enumerate(("01", "02")):
        name, affine = f"sub-{subject}", AFFINES[number]
        for seed, suffix in enumerate(("T1w", "T2w")):
            put(folder / name / "anat" / f"{name}_{suffix}.nii.gz", grey(10 * number + seed), affine)
        put(lesions / name / "anat" / f"{name}_space-T2w_label-lesion_mask.nii.gz", labelled(1), affine)
        put_json(lesions / name / "anat" / f"{name}_space-T2w_label-lesion_mask.json", {"Type": "Lesion"})
    for seed, suffix in enumerate(("T1w", "T2w")):
        put(folder / "sub-03" / "anat" / f"sub-03_{suffix}.nii.gz", grey(30 + seed), ANISOTROPIC)
    put(maps / "sub-03" / "anat" / "sub-03_space-T2w_dseg.nii.gz", labelled(1, 2), ANISOTROPIC)
    put_csv(maps / "dseg.tsv", ("index", "name"), (1, "tumour"), (2, "oedema"), separator="\t")
    put_csv(
        folder / "participants.tsv",
        ("participant_id", "diagnosis", "anatomical_site"),
        ("sub-01", "schwannoma", "thigh, left"),
        ("sub-02", "n/a", "n/a"),
        ("sub-03", "dedifferentiated liposarcoma", "thigh"),
        separator="\t",
    )
    return folder


def picture_stack(volume: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """A volume's slices as MSTT-199 has them: each with its neighbours as colours, rows along i."""
    last = volume.shape[2] - 1
    return [volume[:, :, [max(k - 1, 0), k, min(k + 1, last)]] for k in range(volume.shape[2])]


def put_pictures(folder: Path, stem: str, pictures: Sequence[NDArray[np.uint8]], *, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, start=first):
        Image.fromarray(picture).save(folder / f"{stem}_{number}.png")


def write_mstt_199(folder: Path) -> Path:
    """A fatty tumour drawn on T1 by several, joined; and one of a nerve drawn on T2."""
    top = folder / "mstt-199"
    for number, (patient, drawn, joined) in enumerate((("L44", "T1", True), ("N21", "T2", False))):
        for seed, image in enumerate(("T1", "T2")):
            volume = np.clip(grey(10 * number + seed, (12, 10, 8)), 0, 255).astype(np.uint8)
            name = f"{patient}_{image}"
            put_pictures(top / "image_2_5d_isotropic_axial_stride-1" / name, name, picture_stack(volume))
        mask = labelled(1, shape=(12, 10, 8))
        name = f"{patient}_{drawn}{'_J' if joined else ''}"
        pictures = [mask[:, :, k] * np.uint8(255) for k in range(8)]
        put_pictures(top / "mask_isotropic_axial_png" / name, name, pictures)
    put_csv(
        top / "consensus_information.csv",
        ("PID", "Modality", "Multiple_Annotations"),
        ("L44", "T1", True),
        ("N21", "T2", False),
    )
    return folder
