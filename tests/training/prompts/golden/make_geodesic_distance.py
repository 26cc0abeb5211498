"""Makes geodesic_distance.npz with GeodisTK itself, which needs an environment of its own (README.md)."""

import sys

import GeodisTK
import numpy as np

SHAPE = (14, 12, 10)
SPACING = np.array([5.0, 0.7, 1.3], np.float32)
OTHER = ((9, 11, 13), np.array([0.8, 0.8, 3.0], np.float32))


def smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Noise, averaged with its neighbours three times along each axis, of unit deviation."""
    image = rng.normal(size=shape)
    for _ in range(3):
        for axis in range(3):
            image = (np.roll(image, 1, axis) + image + np.roll(image, -1, axis)) / 3
    return (image / image.std()).astype(np.float16).astype(np.float32)


def blocky(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Blocks of four voxels of one intensity each, so that most steps cost next to nothing."""
    coarse = rng.integers(0, 4, [-(-size // 4) for size in shape]).astype(np.float32)
    return np.kron(coarse, np.ones((4, 4, 4), np.float32))[tuple(slice(size) for size in shape)]


def main() -> None:
    rng = np.random.default_rng(20260)
    images = {
        "smooth": (smooth(rng, SHAPE)[..., None], SPACING),
        "blocky": (blocky(rng, SHAPE)[..., None], SPACING),
        "both": (np.stack([smooth(rng, OTHER[0]), blocky(rng, OTHER[0])], axis=-1), OTHER[1]),
    }
    kept = {}
    for name, (image, spacing) in images.items():
        shape = image.shape[:3]
        seeds = np.stack([rng.integers(0, size, 6) for size in shape], axis=1)
        marked = np.zeros(shape, np.uint8)
        marked[tuple(seeds.T)] = 1
        kept[f"{name}/image"] = np.moveaxis(image, -1, 0).astype(np.float16)
        kept[f"{name}/seeds"] = seeds.astype(np.int16)
        kept[f"{name}/spacing"] = spacing
        given = np.ascontiguousarray(image[..., 0] if image.shape[-1] == 1 else image, np.float32)
        for iterations, lam in ((1, 1.0), (2, 1.0), (4, 1.0), (2, 0.5)):
            distance = GeodisTK.geodesic3d_raster_scan(given, marked, spacing, lam, float(iterations))
            kept[f"{name}/distance/{iterations}/{lam}"] = distance
    np.savez_compressed(sys.argv[1], **kept)


main()
