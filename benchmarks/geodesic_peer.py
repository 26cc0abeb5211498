"""Runs in a peer's own Python, which has numpy and GeodisTK or FastGeodis but nothing of ours.

`python geodesic_peer.py NAME IN.npz OUT.npz` reads image, seeds (mask), spacing, iterations and repeats, and writes the
distance and the fewest seconds; exit status 3 where the peer cannot be imported.
"""

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def geodistk(peer: Any, given: dict[str, Any]) -> Callable[[], Any]:
    """GeodisTK 0.1.7's raster scan with lambda 1."""
    image, seeds = np.ascontiguousarray(given["image"]), given["seeds"].astype(np.uint8)
    return lambda: peer.geodesic3d_raster_scan(image, seeds, given["spacing"], 1.0, float(given["iterations"]))


def fastgeodis(peer: Any, given: dict[str, Any]) -> Callable[[], Any]:
    """FastGeodis' raster scan with lambda 1, on one thread."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    image = torch.from_numpy(given["image"])[None, None]
    unmarked = torch.from_numpy(1 - given["seeds"].astype(np.float32))[None, None]
    spacing = given["spacing"].tolist()
    scan = peer.generalised_geodesic3d
    return lambda: scan(image, unmarked, spacing, 1e10, 1.0, int(given["iterations"]))[0, 0].numpy()


PEERS = {"GeodisTK": geodistk, "FastGeodis": fastgeodis}


def main() -> int:
    """Times one peer."""
    name, source, target = sys.argv[1:]
    try:
        importlib.import_module("torch" if name == "FastGeodis" else "numpy")
        peer = importlib.import_module(name)
    except ImportError:
        return 3
    with np.load(source) as kept:
        given = dict(kept)
    scan, seconds = PEERS[name](peer, given), []
    for _ in range(int(given["repeats"])):
        started = time.perf_counter()
        distance = scan()
        seconds.append(time.perf_counter() - started)
    np.savez(target, distance=distance, seconds=min(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
