"""PreparedCases: cases as networks see them, kept by digest as memory-mapped files.

    <folder>/<patient>/<digest>/case.json and an .npy file for each array

Folds and trainings that prepare the same images and mask in the same way share the files, and processes their memory.
Patients' folders have digests for names: the cases of a folder may be called as people are.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.files import is_unchanged, sha256_of_bytes, sha256_of_file, write_json
from datasets.part_folder import part_folder, place_part, remove_remains

MOST_BYTES = 20 * 1024**3
MOST_DAYS = 30.0

_LIST = "case.json"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PreparedCases:
    """Prepared cases in a folder.

    Args:
        folder: Where they lie; made where it is missing.
        most_bytes: What is used least recently goes beyond this.
        most_days: What was not used for so long goes.
    """

    folder: Path
    most_bytes: int = MOST_BYTES
    most_days: float = MOST_DAYS

    def arrays(self, patient: str, digest: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a case, made where they are not kept whole; read-only.

        Args:
            patient: Whose case it is.
            digest: Of all that the arrays depend on (`digest_of`).
            make: Makes them.
        """
        place = self._patient(patient) / digest
        found = _read(place)
        if found is not None:
            os.utime(place)  # used now
            return found
        made = make()
        try:
            self._keep(place, made)
        except OSError:  # a full disk: what was made is good without being kept
            return made
        return _read(place) or made

    def forget(self, patient: str) -> None:
        """Removes what is kept of a patient."""
        shutil.rmtree(self._patient(patient), ignore_errors=True)

    def tidy(self) -> int:
        """Removes what is too old, and the least recently used beyond the size; returns how many cases went."""
        size, gone = 0, 0
        for place in sorted(self.folder.glob("*/*/"), key=_last_used, reverse=True):
            size += sum(each.stat().st_size for each in place.glob("*"))
            if size > self.most_bytes or time.time() - _last_used(place) > self.most_days * 86_400:
                shutil.rmtree(place, ignore_errors=True)
                gone += 1
        return gone

    def _patient(self, patient: str) -> Path:
        return self.folder / sha256_of_bytes(patient.encode())[:16]

    def _keep(self, place: Path, made: Arrays) -> None:
        shutil.rmtree(place, ignore_errors=True)  # damaged
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_remains(place.parent)
        with part_folder(place.parent) as part:
            for name, array in made.items():
                np.save(part / f"{name}.npy", array, allow_pickle=False)
            write_json(part / _LIST, {name: sha256_of_file(part / f"{name}.npy") for name in made})
            if not place.exists():  # another process was quicker
                place_part(part, place)


def digest_of(arrays: Arrays, rule: Mapping[str, Any]) -> str:
    """SHA-256 of images and masks with the rule by which they are prepared.

    Args:
        arrays: Voxels and affines, by name.
        rule: As plain JSON values.
    """
    told = {
        name: [str(array.dtype), list(array.shape), sha256_of_bytes(np.ascontiguousarray(array).tobytes())]
        for name, array in arrays.items()
    }
    return sha256_of_bytes(json.dumps([told, rule], sort_keys=True).encode())


def _last_used(place: Path) -> float:
    """Seconds since 1970; 0 for what another process removed just now."""
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(place: Path) -> Arrays | None:
    """The arrays of a place, memory-mapped; None where they are missing or not as they were written."""
    try:
        listed = json.loads((place / _LIST).read_text(encoding="utf-8"))
        if not all(is_unchanged(place / f"{name}.npy", sha256=digest) for name, digest in listed.items()):
            return None
        return {name: np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in listed}
    except (OSError, ValueError, AttributeError):
        return None
