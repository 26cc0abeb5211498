"""The search for the motion between two images with ANTs, repeatable to the last bit. Imports ants on first use.

ANTs speaks LPS; everything that enters or leaves this module is RAS+ millimetres.

Source: Avants et al., A reproducible evaluation of ANTs similarity metric performance in brain image registration,
NeuroImage 2011.
"""

import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.registration.deformation import Deformation
from curation.registration.similarity import nearest_rotation
from datasets.errors import RejectedInput
from datasets.image.volume import Affine, Grid, Volume

RIGID_KIND, AFFINE_KIND = "Rigid", "Affine"
"""ANTs' names for six and for twelve degrees of freedom."""

HISTOGRAM_LEVELS = 32
"""Grey levels of Mattes mutual information."""

DEFORMATION_ITERATIONS = (200, 100, 50)
DEFORMATION_SMOOTHING = 12
"""Steps at a quarter, a half and the whole of the resolution, and the variance in voxels that smooths each step. With
ANTs' own 40, 20, 0 and 3, noise bent a phantom limb by 13 mm and its error rose from 4.0 to 4.9 mm; with these it fell
to 2.5 mm."""

_WAYS = ("fwdtransforms", "invtransforms")

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"
_ONE_AT_A_TIME = threading.Lock()


def antspyx_version() -> str:
    """Version of the installed antspyx."""
    return version("antspyx")


def search(
    fixed: Volume,
    moving: Volume,
    *,
    kind: str,
    start: Affine,
    iterations: int,
    sampling_rate: float,
    seed: int,
) -> Affine:
    """The motion that brings `moving` onto `fixed`, by Mattes mutual information, at the images' own resolution.

    Args:
        fixed: Image that stays; on a grid without shear.
        moving: Image that is brought onto it; on a grid without shear.
        kind: `RIGID_KIND` or `AFFINE_KIND`; a rigid motion is rigid to float64, though ANTs keeps it as float32.
        start: (4, 4) first guess, RAS+ millimetres of `fixed` to RAS+ millimetres of `moving`.
        iterations: Most steps of the optimiser.
        sampling_rate: Share of the voxels that are compared, 0 to 1.
        seed: Places the sampled points.

    Returns:
        (4, 4) float64: a point of `fixed`, RAS+ millimetres, to the point of `moving` with the same anatomy.

    Raises:
        RejectedInput: ANTs gave up.
    """
    to_centre = _shift(-fixed.grid.centre_mm)
    still = _moved(fixed, to_centre)
    started = _moved(moving, to_centre @ np.linalg.inv(start))
    with _deterministic(seed) as ants, tempfile.TemporaryDirectory() as folder:
        try:
            found = ants.registration(
                to_ants(ants, still),
                to_ants(ants, started),
                type_of_transform=kind,
                initial_transform="Identity",
                outprefix=str(Path(folder) / "found"),
                aff_metric="mattes",
                aff_sampling=HISTOGRAM_LEVELS,
                aff_random_sampling_rate=sampling_rate,
                aff_iterations=(iterations,),
                aff_shrink_factors=(1,),
                aff_smoothing_sigmas=(0,),
            )
            rest = from_ants(ants.read_transform(found["fwdtransforms"][0]))
            if kind == RIGID_KIND:
                rest[:3, :3] = nearest_rotation(rest[:3, :3])
        except (RuntimeError, ValueError) as error:
            raise _gave_up(error) from error
    return start @ np.linalg.inv(to_centre) @ rest @ to_centre


def deform(fixed: Volume, moving: Volume, *, seed: int) -> Deformation:
    """The remaining deformation between two aligned images, by symmetric normalisation (SyN).

    Source: Avants et al., Symmetric diffeomorphic image registration with cross-correlation, Medical Image Analysis
    2008.

    Args:
        fixed: Image that stays; its grid becomes that of the fields.
        moving: Image on the same grid.
        seed: Places the sampled points.

    Raises:
        RejectedInput: ANTs gave up (``registration-failed``).
    """
    with _deterministic(seed) as ants, tempfile.TemporaryDirectory() as folder:
        try:
            found = ants.registration(
                to_ants(ants, fixed),
                to_ants(ants, moving),
                type_of_transform="SyNOnly",
                initial_transform="Identity",
                outprefix=str(Path(folder) / "found"),
                reg_iterations=DEFORMATION_ITERATIONS,
                flow_sigma=DEFORMATION_SMOOTHING,
            )
            fields = [_field(ants, next(name for name in found[way] if name.endswith("Warp.nii.gz"))) for way in _WAYS]
        except (RuntimeError, ValueError, StopIteration) as error:
            raise _gave_up(error) from error
    return Deformation(fixed.grid, forward=fields[0], backward=fields[1])


@contextmanager
def _deterministic(seed: int) -> Iterator[Any]:
    """Gives ants with one thread and a fixed seed, one caller at a time, and leaves nothing of that behind.

    `set_ants_deterministic` also seeds numpy's and Python's own generators and sets an environment variable.
    ITK reads that variable once, at the first computation, so ants must be used through here only.
    """
    with _ONE_AT_A_TIME:
        threads = os.environ.get(_THREADS)
        states = np.random.get_state(), random.getstate()
        os.environ[_THREADS] = "1"
        import ants

        ants.config.set_ants_deterministic(True, seed_value=seed)
        try:
            yield ants
        finally:
            ants.config.set_ants_deterministic(False, seed_value=None)
            np.random.set_state(states[0])
            random.setstate(states[1])
            if threads is None:
                del os.environ[_THREADS]
            else:
                os.environ[_THREADS] = threads


def to_ants(ants: Any, volume: Volume) -> Any:
    """The volume as an ANTs image: the same index order, the affine taken apart in LPS."""
    affine = _LPS @ volume.grid.affine
    spacing = volume.grid.spacing
    return ants.from_numpy(
        np.ascontiguousarray(volume.data, dtype=np.float32),
        origin=tuple(affine[:3, 3].tolist()),
        spacing=spacing,
        direction=affine[:3, :3] / np.array(spacing),
    )


def _field(ants: Any, path: str) -> NDArray[np.float32]:
    """Displacements (i, j, k, 3), RAS+ millimetres, of an ANTs warp."""
    field = np.asarray(ants.image_read(path).numpy(), dtype=np.float32)
    return np.ascontiguousarray(field * np.array([-1, -1, 1], dtype=np.float32))


def _gave_up(error: Exception) -> RejectedInput:
    return RejectedInput(
        "registration-failed",
        f"ANTs found no motion between the two images ({type(error).__name__}).",
        remedy="Look at both series: they should show the same body part and be more than a few voxels thick.",
    )


def _shift(offset_mm: NDArray[np.float64]) -> Affine:
    shift = np.eye(4)
    shift[:3, 3] = offset_mm
    return shift


def _moved(volume: Volume, motion: Affine) -> Volume:
    """The same image somewhere else in the world.

    ANTs turns about the world's origin when it starts from the identity; so the search happens around it.
    """
    return Volume(volume.data, Grid(volume.grid.shape, motion @ volume.grid.affine))


def from_ants(transform: Any) -> Affine:
    """ANTs keeps y = A (x - c) + t + c: nine numbers of A row by row, three of t; c apart."""
    parameters = np.asarray(transform.parameters, dtype=np.float64)
    centre = np.asarray(transform.fixed_parameters, dtype=np.float64)[:3]
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:12] + centre - matrix[:3, :3] @ centre
    return _LPS @ matrix @ _LPS
