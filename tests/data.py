"""Where the shared real patients lie, for the tests that read them."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
STS_DICOM = SHARED / "sts" / "dicom"
STS_NIFTI = SHARED / "sts" / "nifti"


def require(folder: Path) -> Path:
    """The folder; skips, saying so, where the shared patients are absent."""
    if not folder.exists():
        pytest.skip(f"NO REAL PATIENTS at ../shared/data/{folder.relative_to(SHARED)}: this test did not run.")
    return folder
