"""The search for the motion between two images with SimpleITK: Mattes mutual information inside the body.

The search happens around the body's centre in units of the body's radius, where one radian of rotation moves an average
point as far as one unit of shift. Far from the truth it goes by gradient descent in millimetre steps, which does not
jump over the basin that it stands in; near it by L-BFGS-B within bounds, which ends in a tenth of the evaluations.

ITK speaks LPS; everything that enters or leaves this module is RAS+ millimetres. SimpleITK is imported on first use.

Source: Mattes et al., PET-CT image registration in the chest using free-form deformations, IEEE TMI 2003; Byrd et al.,
A limited memory algorithm for bound constrained optimization, SIAM 1995; Lowekamp et al., The design of SimpleITK,
Frontiers in Neuroinformatics 2013.
"""

from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.registration.similarity import nearest_rotation
from datasets.errors import RejectedInput
from datasets.image.volume import Affine, Grid, Volume

SEARCH_BINS = 40
"""Grey levels of Mattes mutual information, which the search climbs; what it found is judged by `similarity`."""

FIRST_STEP_MM = 2.0
LAST_STEP_MM = 0.1
RELAXATION = 0.7
"""Gradient descent: on a real T1 and T2, moved by up to 22 mm, these steps found the way from 8 of 12 starts where
L-BFGS-B alone found it from 3."""

REACH_MM = 10.0
"""How far L-BFGS-B may take each parameter of a rigid motion, as a shift of the body's average point."""

_CORRECTIONS = 8
_MAX_EVALUATIONS = 200
_FLAT = 1e-8
_GRADIENT_TOLERANCE = 1e-3
_COST_FACTOR = 1e9
"""Times the machine's precision: the search ends when a step gains less, which is when it moves the body by 0.02 mm."""

_SPARE = 2
"""The strides leave up to this many times the points asked for, of which chance takes its share: a regular grid alone
would beat with the voxels of the other image."""

_DECIMALS = 9
"""SimpleITK repeats itself to about 1e-13 whatever the number of threads; rounded to this it repeats to the bit."""

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def simpleitk_version() -> str:
    """Version of the installed SimpleITK."""
    return version("simpleitk")


def search(
    fixed: Volume,
    moving: Volume,
    *,
    mask: NDArray[np.bool_],
    is_rigid: bool,
    is_far: bool,
    start: Affine,
    iterations: int,
    samples: int,
    seed: int,
) -> Affine:
    """The motion that brings `moving` onto `fixed`, at the images' own resolution.

    Args:
        fixed: Image that stays.
        moving: Image that is brought onto it.
        mask: Where to compare, of `fixed`'s shape; not empty.
        is_rigid: Six degrees of freedom; otherwise twelve.
        is_far: Whether the start may be far from the truth: gradient descent then, L-BFGS-B otherwise.
        start: (4, 4) first guess, RAS+ millimetres of `fixed` to RAS+ millimetres of `moving`.
        iterations: Most steps of the optimiser.
        samples: How many points are compared, all of the mask where it has fewer.
        seed: Places the sampled points.

    Returns:
        (4, 4) float64: a point of `fixed`, RAS+ millimetres, to the point of `moving` with the same anatomy.

    Raises:
        RejectedInput: The images do not overlap enough to compare anything (``registration-failed``).
    """
    import SimpleITK as sitk  # noqa: N813  its customary name

    to_unit = _to_unit_body(mask, fixed.grid)
    still = _image(sitk, fixed, to_unit)
    strides = _strides(mask, fixed.grid, samples)
    where = _image(sitk, Volume(_thinned(mask, strides, samples, seed=seed), fixed.grid), to_unit)
    started = _image(sitk, moving, to_unit @ np.linalg.inv(start))
    transform = sitk.Euler3DTransform() if is_rigid else sitk.AffineTransform(3)
    method = _method(sitk, is_rigid=is_rigid, is_far=is_far, iterations=iterations, unit_mm=1.0 / to_unit[0, 0])
    if is_far:
        method.SetOptimizerScales([1.0] * transform.GetNumberOfParameters())
    _compare_at(method, still, strides)
    method.SetMetricFixedMask(where)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(still, started)
    except RuntimeError as error:
        raise RejectedInput(
            "registration-failed",
            "The two images overlap too little to bring one onto the other.",
            remedy="Look at both series: they should show the same body part and be more than a few voxels thick.",
        ) from error
    rest = np.linalg.inv(to_unit) @ _from_itk(transform) @ to_unit
    if is_rigid:
        rest[:3, :3] = nearest_rotation(rest[:3, :3])
    return np.round(start @ rest, _DECIMALS)


def _compare_at(method: Any, image: Any, strides: tuple[int, int, int]) -> None:
    """Compares at every n-th voxel of the image only."""
    method.SetVirtualDomain(
        [-(-size // stride) for size, stride in zip(image.GetSize(), strides, strict=True)],
        image.GetOrigin(),
        [step * stride for step, stride in zip(image.GetSpacing(), strides, strict=True)],
        image.GetDirection(),
    )


def _strides(mask: NDArray[np.bool_], grid: Grid, samples: int) -> tuple[int, int, int]:
    """Every how many voxels along i, j, k the images are compared: the finest axis is thinned out first."""
    strides = [1, 1, 1]
    while np.count_nonzero(mask) / np.prod(strides) > _SPARE * samples:
        axis = int(np.argmin(np.array(grid.spacing) * strides))
        strides[axis] += 1
    return strides[0], strides[1], strides[2]


def _thinned(mask: NDArray[np.bool_], strides: tuple[int, int, int], samples: int, *, seed: int) -> NDArray[np.uint8]:
    """The mask with about `samples` voxels left among those that the strides reach, drawn by the seed.

    ITK's own random points lie between voxels and cost several times as much.
    """
    reached = mask[tuple(slice(None, None, stride) for stride in strides)]
    rate = samples / max(1, np.count_nonzero(reached))
    if rate >= 1.0:
        return mask.astype(np.uint8)
    return (mask & (np.random.default_rng(seed).random(mask.shape, dtype=np.float32) < rate)).astype(np.uint8)


def _method(sitk: Any, *, is_rigid: bool, is_far: bool, iterations: int, unit_mm: float) -> Any:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(SEARCH_BINS)
    method.SetInterpolator(sitk.sitkLinear)
    # ITK's own choice smooths the gradient over the thickest voxel; that is another function's gradient, and on slices
    # of 5 mm the line search gave up 3 mm from where it ends with this one.
    method.MetricUseMovingImageGradientFilterOff()
    method.MetricUseFixedImageGradientFilterOff()
    if is_far:
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=FIRST_STEP_MM / unit_mm,
            minStep=LAST_STEP_MM / unit_mm,
            numberOfIterations=iterations,
            relaxationFactor=RELAXATION,
            gradientMagnitudeTolerance=_FLAT,
        )
        return method
    method.SetOptimizerAsLBFGSB(
        gradientConvergenceTolerance=_GRADIENT_TOLERANCE,
        numberOfIterations=iterations,
        maximumNumberOfCorrections=_CORRECTIONS,
        maximumNumberOfFunctionEvaluations=_MAX_EVALUATIONS,
        costFunctionConvergenceFactor=_COST_FACTOR,
        **({"lowerBound": -REACH_MM / unit_mm, "upperBound": REACH_MM / unit_mm} if is_rigid else {}),
    )
    return method


def _to_unit_body(mask: NDArray[np.bool_], grid: Grid) -> Affine:
    """(4, 4) RAS+ millimetres to units of the body's root mean square radius about its centre."""
    points = grid.to_world(np.argwhere(mask))
    centre = points.mean(axis=0)
    radius = max(float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())), 1.0)
    unit = np.diag([1 / radius, 1 / radius, 1 / radius, 1.0])
    unit[:3, 3] = -centre / radius
    return unit


def _image(sitk: Any, volume: Volume, to_unit: Affine) -> Any:
    """The volume as a SimpleITK image placed by `to_unit`: the affine taken apart in LPS."""
    affine = _LPS @ to_unit @ volume.grid.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(volume.data).T))
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image


def _from_itk(transform: Any) -> Affine:
    """ITK's y = A (x - c) + c + t as one matrix in RAS+."""
    linear = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = np.array(transform.GetTranslation()) + centre - linear @ centre
    return _LPS @ matrix @ _LPS
