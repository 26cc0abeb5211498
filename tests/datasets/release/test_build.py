"""Building releases: the same bytes twice, whole or not at all, and nothing unfit inside."""

import gzip
import os
import stat
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import datasets.release.build as build_module
from datasets.errors import GeometryError, RejectedInput
from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Grid, Volume
from datasets.release.build import ReleaseCase, ReleaseRole, ReleaseSettings, build_release, check_release
from datasets.release.manifest_parts import ProtocolEntry
from datasets.release.verify import verify_release
from datasets.study.case import QualityScore
from tests.datasets.release.describing.samples import TEXTS
from tests.datasets.release.samples import (
    CANARY,
    CODES,
    SETTINGS,
    files_of,
    oblique_affine,
    sample_path,
    with_header_text,
    write_case,
    write_cases,
)


@pytest.fixture
def cases(tmp_path: Path) -> list[ReleaseCase]:
    return write_cases(tmp_path / "sources")


def test_two_builds_give_the_same_bytes_and_rights(cases: list[ReleaseCase], tmp_path: Path) -> None:
    first = build_release(cases, SETTINGS, tmp_path / "one")
    second = build_release(cases[::-1], SETTINGS, tmp_path / "elsewhere" / "two")
    assert files_of(first.folder) == files_of(second.folder)
    assert first.digest == second.digest
    assert (first.folder.name, first.cases, first.created) == ("thigh-tumours-1.2.0", 5, True)
    assert {stat.S_IMODE(path.stat().st_mode) for path in first.folder.rglob("*") if path.is_file()} == {0o644}


def test_layout(cases: list[ReleaseCase], tmp_path: Path) -> None:
    folder = build_release(cases, SETTINGS, tmp_path / "out").folder
    expected = {"manifest.json", "SHA256SUMS", *TEXTS}
    for code in CODES:
        for name in ("t1", "t2", "mask"):
            path = sample_path(code, name)
            expected |= {path, path.replace(".nii.gz", ".json")}
    assert set(files_of(folder)) == expected


def test_images_and_masks_keep_their_voxels_and_lie_on_one_grid(cases: list[ReleaseCase], tmp_path: Path) -> None:
    folder = build_release(cases, SETTINGS, tmp_path / "out").folder
    for case in cases:
        t1, t2 = (read_volume(folder / sample_path(case.code, role)) for role in ("t1", "t2"))
        mask = read_mask(folder / sample_path(case.code, "mask"))
        np.testing.assert_array_equal(t1.data, read_volume(case.images["t1"]).data)
        np.testing.assert_array_equal(t2.data, read_volume(case.images["t2"]).data)
        np.testing.assert_array_equal(mask.data, read_mask(case.mask).data)
        assert np.array_equal(t1.grid.affine, t2.grid.affine)
        assert np.array_equal(mask.grid.affine, t2.grid.affine)
        np.testing.assert_allclose(t2.grid.affine, read_volume(case.images["t2"]).grid.affine, atol=1e-6)


def test_whole_numbers_are_stored_as_int16_and_others_as_float32(cases: list[ReleaseCase], tmp_path: Path) -> None:
    folder = build_release(cases, SETTINGS, tmp_path / "out").folder
    assert nib.load(folder / sample_path(CODES[0], "t1")).get_data_dtype() == np.int16
    assert nib.load(folder / sample_path(CODES[0], "t2")).get_data_dtype() == np.float32
    assert nib.load(folder / sample_path(CODES[0], "mask")).get_data_dtype() == np.uint8


def test_the_same_release_again_is_no_error_and_changes_nothing(cases: list[ReleaseCase], tmp_path: Path) -> None:
    first = build_release(cases, SETTINGS, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    again = build_release(cases, SETTINGS, tmp_path)
    assert (again.created, again.digest) == (False, first.digest)
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == before
    assert _leftovers(tmp_path) == []


@pytest.mark.parametrize("what", ["fewer cases", "other mask", "other source", "damaged", "stranger's folder", "file"])
def test_a_version_that_exists_is_never_changed(cases: list[ReleaseCase], tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    folder = build_release(cases, SETTINGS, out).folder
    if what == "fewer cases":
        cases = cases[:-1]
    elif what == "other mask":
        cases[0] = replace(cases[0], mask=write_case(tmp_path / "other", 1).mask, sources={})
    elif what == "other source":
        cases[0] = replace(cases[0], sources={"review": "0" * 64})
    elif what == "damaged":
        (folder / "README.md").write_text("other")
    else:
        folder.rename(tmp_path / "away")
        if what == "file":
            folder.write_text("in the way")
        else:
            folder.mkdir()
            (folder / "notes.txt").write_text("mine")
    before = files_of(out)
    with pytest.raises(RejectedInput, match="release-exists"):
        build_release(cases, SETTINGS, out)
    assert files_of(out) == before
    assert _leftovers(out) == []


def test_of_two_builds_of_one_version_one_wins(
    cases: list[ReleaseCase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other build moves in between this one's look and its move."""
    out = tmp_path / "out"
    real = os.path.lexists
    looked = []

    def lexists(path: Path) -> bool:
        if not looked:
            looked.append(path)
            build_release(cases[:2], SETTINGS, out)
            return False
        return real(path)

    monkeypatch.setattr(build_module.os.path, "lexists", lexists)
    with pytest.raises(RejectedInput, match="release-exists"):
        build_release(cases, SETTINGS, out)
    monkeypatch.undo()
    report = verify_release(out / "thigh-tumours-1.2.0")
    assert report.is_sound
    assert report.cases == 2
    assert _leftovers(out) == []


def _leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def _shifted(case: ReleaseCase, name: str) -> ReleaseCase:
    """The case with one of its files on a grid that lies 0.01 mm off."""
    affine = oblique_affine()
    affine[0, 3] += 0.01
    path = case.files[f"{name}_file"]
    volume = read_volume(path)
    if name == "mask":
        write_mask(path, Mask(np.asarray(volume.data, np.uint8), Grid(volume.grid.shape, affine)))
    else:
        write_volume(path, Volume(volume.data, Grid(volume.grid.shape, affine)))
    return replace(case, sources={})


@pytest.mark.parametrize("name", ["t1", "t2", "mask"])
def test_another_grid_is_refused_by_case_and_nothing_is_written(
    cases: list[ReleaseCase], tmp_path: Path, name: str
) -> None:
    cases[3] = _shifted(cases[3], name)
    with pytest.raises(GeometryError, match="Case sub-0003_ses-1") as refusal:
        build_release(cases, SETTINGS, tmp_path / "out")
    assert refusal.value.code == "grid-mismatch"
    assert not (tmp_path / "out").exists()


def test_a_grid_within_tolerance_is_taken_and_becomes_the_case_s_own(cases: list[ReleaseCase], tmp_path: Path) -> None:
    volume = read_volume(cases[0].images["t1"])
    affine = volume.grid.affine.copy()
    affine[0, 3] += 2e-4
    write_volume(cases[0].images["t1"], Volume(volume.data, Grid(volume.grid.shape, affine)))
    folder = build_release(cases[:1], SETTINGS, tmp_path / "out").folder
    t1, t2 = (read_volume(folder / sample_path(CODES[0], role)).grid.affine for role in ("t1", "t2"))
    assert np.array_equal(t1, t2)


BAD_SETTINGS = {
    "version-two-numbers": ({"version": "1.0"}, "release-version"),
    "version-leading-zero": ({"version": "01.0.0"}, "release-version"),
    "version-letter": ({"version": "v1.0.0"}, "release-version"),
    "version-newline": ({"version": "1.0.0\n"}, "release-version"),
    "version-path": ({"version": "1.0.0/.."}, "release-version"),
    "version-other-digits": ({"version": "١.0.0"}, "release-version"),
    "version-older": ({"follows": "1.2.0"}, "release-version-order"),
    "version-before-candidate": ({"version": "1.2.0-rc.1", "follows": "1.2.0"}, "release-version-order"),
    "name-capital": ({"name": "Thigh"}, "release-name"),
    "name-path": ({"name": "../thigh"}, "release-name"),
    "name-empty": ({"name": ""}, "release-name"),
    "name-device": ({"name": "con"}, "release-name"),
    "licence-empty": ({"licence": "  "}, "release-licence"),
    "licence-lines": ({"licence": "MIT\nMIT"}, "release-licence"),
    "seed-negative": ({"seed": -1}, "release-seed"),
    "folds-none": ({"folds": 0}, "release-seed"),
    "text-nul": ({"description": "a\0b"}, "release-text"),
    "limit-lines": ({"known_limits": ("a\n# b",)}, "release-text"),
    "labels-none": ({"labels": {}}, "release-labels"),
    "label-zero": ({"labels": {0: "Background"}}, "release-labels"),
    "label-twice": ({"labels": {1: "Tumour", 2: "tumour"}}, "release-labels"),
    "label-nameless": ({"labels": {1: " "}}, "release-labels"),
    "roles-none": ({"roles": ()}, "release-roles"),
    "role-twice": ({"roles": (*SETTINGS.roles, SETTINGS.roles[0])}, "release-roles"),
    "role-mask": ({"roles": (*SETTINGS.roles, ReleaseRole("mask", "", "t1", False))}, "release-roles"),
    "role-path": ({"roles": (*SETTINGS.roles, ReleaseRole("../t3", "", "t1", False))}, "release-roles"),
    "role-device": ({"roles": (*SETTINGS.roles, ReleaseRole("aux", "", "t1", False))}, "release-roles"),
    "role-same-in-file-names": ({"roles": (*SETTINGS.roles, ReleaseRole("t-2", "", "t1", False))}, "release-roles"),
    "role-kind": ({"roles": (*SETTINGS.roles, ReleaseRole("t3", "", "mri", False))}, "release-roles"),
    "role-kind-path": ({"roles": (*SETTINGS.roles, ReleaseRole("t3", "", "../t1", False))}, "release-roles"),
    "role-title": ({"roles": (*SETTINGS.roles, ReleaseRole("t3", "a\n# b", "t1", False))}, "release-roles"),
    "protocol-digest": ({"protocol": ProtocolEntry("t1", 1, "abc")}, "release-protocol"),
    "protocol-lines": ({"protocol": ProtocolEntry("t1\n", 1, "5" * 64)}, "release-protocol"),
    "withdrawn-case": ({"withdrawn": ("SUB-0002_ses-1",)}, "release-withdrawn"),
    "withdrawn-path": ({"withdrawn": ("../C0001",)}, "release-code"),
}


@pytest.mark.parametrize(("changes", "code"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_unfit_settings_are_refused(cases: list[ReleaseCase], tmp_path: Path, changes: dict, code: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        build_release(cases, replace(SETTINGS, **changes), tmp_path / "out")
    assert refusal.value.code == code
    assert not (tmp_path / "out").exists()


BAD_CASES = {
    "code-path": ({"code": "../sub-0001_ses-1"}, "release-code"),
    "code-inside-path": ({"code": "sub-0001_ses-../1"}, "release-code"),
    "code-empty": ({"code": ""}, "release-code"),
    "code-dot": ({"code": ".."}, "release-code"),
    "code-trailing-dot": ({"code": "sub-0001_ses-1."}, "release-code"),
    "code-newline": ({"code": "sub-0001_ses-1\n"}, "release-code"),
    "code-long": ({"code": f"sub-{'1' * 41}_ses-1"}, "release-code"),
    "code-letters": ({"code": "sub-Ä_ses-1"}, "release-code"),
    "code-of-the-database": ({"code": "C0001"}, "release-code"),
    "code-name": ({"code": "sub-Doe^Jane_ses-1"}, "release-code"),
    "code-twin": ({"code": "sub-0002_SES-1"}, "release-code"),
    "code-twice": ({"code": CODES[1]}, "release-code-twice"),
    "former-code-path": ({"former_codes": ("../C0001",)}, "release-code"),
    "site-formula": ({"anatomical_site": "=HYPERLINK(1)"}, "case-words"),
    "site-lines": ({"anatomical_site": "thigh\nleft"}, "case-words"),
    "type-words": ({"tissue_type": "fat | fat"}, "case-words"),
    "source-no-digest": ({"sources": {"series": "1.2.840.113619"}}, "case-sources"),
    "source-name": ({"sources": {"a b": "0" * 64}}, "case-sources"),
    "provenance-nan": ({"provenance": {"score": float("nan")}}, "case-provenance"),
    "provenance-lines": ({"provenance": {"comment": "a\nb"}}, "case-provenance"),
    "provenance-name": ({"provenance": {"stages": [{"done by": 1}]}}, "case-provenance"),
    "provenance-object": ({"provenance": {"path": Path("x")}}, "case-provenance"),
    "provenance-deep": ({"provenance": {"a": [[[[[[[1]]]]]]]}}, "case-provenance"),
    "provenance-long": ({"provenance": {"comment": "x" * 501}}, "case-provenance"),
    "slice-outside": ({"unannotated_slices": (8,)}, "slices-outside"),
    "drawn-on-nothing": ({"drawn_role": "ct"}, "case-drawn-role"),
    "image-missing": ({"images": {"t2": Path("gone.nii.gz")}}, "case-image-missing"),
    "image-of-no-role": ({"images": {role: Path("gone.nii.gz") for role in ("t1", "t2", "pet")}}, "case-roles"),
    "file-gone": ({"images": {"t1": Path("gone.nii.gz"), "t2": Path("gone.nii.gz")}}, "nifti-unreadable"),
    "source-changed": ({"sources": {"t1_file": "0" * 64}}, "source-changed"),
}


@pytest.mark.parametrize(("changes", "code"), BAD_CASES.values(), ids=BAD_CASES)
def test_unfit_cases_are_refused(cases: list[ReleaseCase], tmp_path: Path, changes: dict, code: str) -> None:
    cases[0] = replace(cases[0], **changes)
    with pytest.raises(RejectedInput) as refusal:
        build_release(cases, SETTINGS, tmp_path / "out")
    assert refusal.value.code == code
    assert files_of(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("codes", "kind"),
    [(("sub-a_ses-1", "sub-A_ses-1"), "case"), (("sub-a_ses-1", "sub-A_ses-2"), "patient")],
)
def test_codes_that_one_folder_of_windows_cannot_tell_apart_are_refused(
    cases: list[ReleaseCase], tmp_path: Path, codes: tuple[str, str], kind: str
) -> None:
    twins = [replace(case, code=code) for case, code in zip(cases, codes, strict=False)]
    with pytest.raises(RejectedInput, match=f"every {kind} code once.*release-code-twice"):
        build_release(twins, SETTINGS, tmp_path / "out")


def test_a_case_that_was_withdrawn_under_a_former_code_is_refused(cases: list[ReleaseCase], tmp_path: Path) -> None:
    cases[0] = replace(cases[0], former_codes=("C0001", "C0009"))
    with pytest.raises(RejectedInput, match="release-withdrawn"):
        build_release(cases, replace(SETTINGS, withdrawn=("c0009",)), tmp_path / "out")
    assert build_release(cases, replace(SETTINGS, withdrawn=("C0008",)), tmp_path / "out").created


def test_no_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="release-empty"):
        build_release([], SETTINGS, tmp_path)


def test_an_empty_mask_needs_somebody_who_says_so(cases: list[ReleaseCase], tmp_path: Path) -> None:
    empty = replace(cases[4], quality_score=QualityScore.EXCELLENT)
    with pytest.raises(RejectedInput, match=r"Case sub-0003_ses-2.*mask-empty"):
        build_release([empty], SETTINGS, tmp_path)
    build_release([replace(empty, empty_mask_approved=True)], SETTINGS, tmp_path)


def test_a_label_without_a_name_is_refused(cases: list[ReleaseCase], tmp_path: Path) -> None:
    mask = read_mask(cases[0].mask)
    data = mask.data.copy()
    data[0, 0, 0] = 2
    write_mask(cases[0].mask, Mask(data, mask.grid))
    cases[0] = replace(cases[0], sources={})
    with pytest.raises(RejectedInput, match=r"Case sub-0001_ses-1.*\[2\].*mask-labels"):
        build_release(cases, SETTINGS, tmp_path)
    build_release(cases, replace(SETTINGS, labels={1: "Tumour", 2: "Oedema"}), tmp_path)


def test_not_a_number_in_an_image_is_refused_and_leaves_nothing(cases: list[ReleaseCase], tmp_path: Path) -> None:
    volume = read_volume(cases[2].images["t2"])
    data = np.array(volume.data)
    data[0, 0, 0] = np.nan
    write_volume(cases[2].images["t2"], Volume(data, volume.grid))
    with pytest.raises(RejectedInput, match=r"Case sub-0002_ses-2.*image-not-finite"):
        build_release(cases, SETTINGS, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_checking_alone_writes_nothing(cases: list[ReleaseCase], tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    check_release(cases, SETTINGS)
    with pytest.raises(RejectedInput, match="release-version"):
        check_release(cases, ReleaseSettings("a", "1", "MIT"))
    assert set(tmp_path.rglob("*")) == before


def test_progress_is_told_after_each_case(cases: list[ReleaseCase], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    build_release(cases, SETTINGS, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]


def test_no_byte_of_a_patient_travels(tmp_path: Path) -> None:
    """Header fields, extensions, gzip's file name and the folders of the sources hold a patient's name."""
    case = write_case(tmp_path / CANARY, 1)
    for path in (case.images["t1"], case.images["t2"], case.mask):
        with_header_text(path, CANARY)
        assert CANARY.encode() in gzip.decompress(path.read_bytes())
    released = build_release([replace(case, sources={})], SETTINGS, tmp_path / "out").folder
    for path, content in files_of(released).items():
        inside = gzip.decompress(content) if path.endswith(".gz") else b""
        for trace in (CANARY.encode(), b"CANARY", b"1931", str(tmp_path).encode()):
            assert trace not in content + inside + path.encode(), path


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": {CANARY: "0" * 64}},
        {"sources": {"t1_series": CANARY}},
        {"provenance": {CANARY: 1}},
        {"provenance": {"models": [{CANARY: "0"}]}},
        {"code": f"sub-{CANARY}_ses-1"},
        {"former_codes": (CANARY,)},
        {"tissue_type": CANARY},
        {"anatomical_site": CANARY},
    ],
)
def test_where_words_may_stand_no_name_does(tmp_path: Path, changes: dict) -> None:
    """Names of sources and of what is known, codes and words are of a form that a person's name in a header has not."""
    case = replace(write_case(tmp_path / "sources", 1), **changes)
    with pytest.raises(RejectedInput) as refusal:
        build_release([case], SETTINGS, tmp_path / "out")
    assert refusal.value.code in ("case-sources", "case-provenance", "case-words", "release-code")
    assert files_of(tmp_path / "out") == {}


def test_refusals_name_no_file_and_no_patient(tmp_path: Path) -> None:
    case = write_case(tmp_path / CANARY, 1)
    case.images["t1"].write_bytes(b"not an image")
    with pytest.raises(RejectedInput) as refusal:
        build_release([case], SETTINGS, tmp_path / "out")
    assert "CANARY" not in str(refusal.value)
    assert "Case sub-0001_ses-1" in str(refusal.value)
