"""Volumes whose file names are in capitals, as they come from other systems."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from datasets.formats.volume_file import files_of, is_data_of_header, is_volume_file, read_volume


@pytest.mark.parametrize(("header", "data"), [(".mhd", ".raw"), (".MHD", ".RAW"), (".MHD", ".raw"), (".mhd", ".RAW")])
def test_a_header_and_its_voxels_belong_together_in_any_capitals(tmp_path: Path, header: str, data: str) -> None:
    image = SimpleITK.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    SimpleITK.WriteImage(image, str(tmp_path / "t1.mhd"))
    text = (tmp_path / "t1.mhd").read_text().replace("t1.raw", f"T1{data}")
    (tmp_path / "t1.raw").rename(tmp_path / f"T1{data}")
    (tmp_path / "t1.mhd").unlink()
    (tmp_path / f"T1{header}").write_text(text)
    assert is_volume_file(tmp_path / f"T1{header}")
    assert is_data_of_header(tmp_path / f"T1{data}")
    assert files_of(tmp_path / f"T1{header}") == (tmp_path / f"T1{header}", tmp_path / f"T1{data}")
    assert read_volume(tmp_path / f"T1{header}").data.shape == (4, 3, 2)
