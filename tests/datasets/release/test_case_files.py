"""Cases that an earlier version was made of the very same are taken over; everything else is written anew."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.formats.nifti import read_mask, read_volume, write_mask, write_volume
from datasets.image.mask import Mask
from datasets.image.volume import Volume
from datasets.release.build import Release, ReleaseCase, ReleaseSettings, build_release
from datasets.release.case_files import EarlierVersion, compact
from datasets.release.verify import verify_release
from datasets.study.case import QualityScore
from tests.datasets.release.samples import CODES, SETTINGS, files_of, rewrite, sample_path, write_cases

NEXT = replace(SETTINGS, version="1.3.0", follows="1.2.0")


@pytest.fixture
def cases(tmp_path: Path) -> list[ReleaseCase]:
    """Cases all of whose files have recorded digests, as those of an installation have."""
    return [_recorded(case) for case in write_cases(tmp_path / "sources")]


@pytest.fixture
def earlier(cases: list[ReleaseCase], tmp_path: Path) -> Path:
    return build_release(cases, SETTINGS, tmp_path / "out").folder


def _recorded(case: ReleaseCase) -> ReleaseCase:
    return replace(case, sources={name: sha256_of_file(path) for name, path in case.files.items()})


def _rebuilt(cases: list[ReleaseCase], earlier: Path, settings: ReleaseSettings = NEXT) -> Release:
    """The next version, which must be the one that is built without an earlier one."""
    built = build_release(cases, settings, earlier.parent, earlier=earlier)
    alone = build_release(cases, settings, earlier.parent / "alone")
    assert files_of(built.folder) == files_of(alone.folder)
    assert alone.taken_over == 0
    return built


def test_unchanged_cases_are_taken_over_though_their_sources_are_gone(
    cases: list[ReleaseCase], earlier: Path, tmp_path: Path
) -> None:
    """Their recorded digests say that they are the same, and the earlier version has what came of them."""
    shutil.rmtree(tmp_path / "sources")
    built = build_release(cases, NEXT, tmp_path / "out", earlier=earlier)
    assert built.taken_over == 5
    assert verify_release(built.folder).is_sound
    before, after = files_of(earlier), files_of(built.folder)
    assert {path: after[path] for path in before if path.startswith("sub-")} == {
        path: content for path, content in before.items() if path.startswith("sub-")
    }


def test_what_is_taken_over_takes_no_room(cases: list[ReleaseCase], earlier: Path) -> None:
    """The same files under further names; what is not a case's is the version's own."""
    before = _files_on_the_disk(earlier)
    built = build_release(cases, NEXT, earlier.parent, earlier=earlier)
    own = _files_on_the_disk(built.folder)
    assert {path for path in before if before[path] == own[path]} == {
        path for path in before if path.startswith("sub-")
    }


def _files_on_the_disk(folder: Path) -> dict[str, int]:
    return {path: (folder / path).stat().st_ino for path in files_of(folder)}


def test_a_disk_that_gives_no_second_names_gets_copies(
    cases: list[ReleaseCase], earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert _rebuilt(cases, earlier).taken_over == 5
    assert not set(_files_on_the_disk(earlier).values()) & set(_files_on_the_disk(earlier.parent / "alone").values())


@pytest.mark.parametrize("path", ["../outside.json", "/etc/hostname", "sub-0001/../../outside.json"])
def test_a_path_that_leads_outside_of_an_earlier_version_is_never_taken(
    cases: list[ReleaseCase], earlier: Path, path: str
) -> None:
    """Though all digests of its manifest agree."""
    (earlier.parent / "outside.json").write_text("secret")

    def lead_outside(value: dict) -> None:
        value["cases"][0]["record"] = path
        value["files"].append({"path": path, "sha256": "0" * 64, "bytes": 6, "media_type": "application/json"})

    rewrite(earlier, lead_outside)
    assert EarlierVersion.in_folder(earlier) is None
    assert _rebuilt(cases, earlier).taken_over == 0


def test_cases_without_recorded_digests_are_taken_over_where_their_files_are_the_same(
    cases: list[ReleaseCase], earlier: Path
) -> None:
    plain = [replace(case, sources={}) for case in cases]
    assert _rebuilt(plain, earlier).taken_over == 5
    write_volume(cases[1].images["t1"], _plus_one(cases[1].images["t1"]))
    assert _rebuilt(plain, earlier, replace(NEXT, version="1.4.0")).taken_over == 4


def _plus_one(path: Path) -> Volume:
    volume = read_volume(path)
    return Volume(np.asarray(volume.data) + 1, volume.grid)


def _other_mask(case: ReleaseCase) -> ReleaseCase:
    mask = read_mask(case.mask)
    data = mask.data.copy()
    data[0, 0, 0] = 1
    write_mask(case.mask, Mask(data, mask.grid))
    return _recorded(case)


CHANGES: dict[str, Callable[[ReleaseCase], ReleaseCase]] = {
    "mask": _other_mask,
    "provenance": lambda case: replace(case, provenance={"verdict": "approve", "stages": ["drawing"]}),
    "source": lambda case: replace(case, sources={**case.sources, "t1_series": "0" * 64}),
    "tissue type": lambda case: replace(case, tissue_type="vascular"),
    "site": lambda case: replace(case, anatomical_site="calf"),
    "score": lambda case: replace(case, quality_score=QualityScore.EXCELLENT),
    "drawn image": lambda case: replace(case, drawn_role="t1"),
    "slices": lambda case: replace(case, unannotated_slices=(1,)),
    "former code": lambda case: replace(case, former_codes=("C0001",)),
    "image left out": lambda case: replace(case, images={"t2": case.images["t2"]}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_of_a_case_has_it_written_anew(
    cases: list[ReleaseCase], earlier: Path, change: Callable[[ReleaseCase], ReleaseCase]
) -> None:
    cases[0] = change(cases[0])
    roles = (replace(SETTINGS.roles[0], is_required=False), SETTINGS.roles[1])
    assert _rebuilt(cases, earlier, replace(NEXT, roles=roles)).taken_over == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {1: "Sarcoma"}},
        {"labels": {1: "Tumour", 2: "Oedema"}},
        {"roles": (replace(SETTINGS.roles[0], kind="t1-ce"), SETTINGS.roles[1])},
        {"roles": (replace(SETTINGS.roles[0], title="T1"), SETTINGS.roles[1])},
    ],
)
def test_another_label_or_role_of_the_release_has_every_case_written_anew(
    cases: list[ReleaseCase], earlier: Path, changes: dict
) -> None:
    assert _rebuilt(cases, earlier, replace(NEXT, **changes)).taken_over == 0


def test_texts_of_the_release_change_no_case(cases: list[ReleaseCase], earlier: Path) -> None:
    assert _rebuilt(cases, earlier, replace(NEXT, name="other", licence="CC0-1.0", description="X")).taken_over == 5


@pytest.mark.parametrize("what", ["changed", "gone", "a link", "a folder"])
@pytest.mark.parametrize("end", ["mask", "record"])
def test_a_damaged_earlier_file_is_written_anew(
    cases: list[ReleaseCase], earlier: Path, tmp_path: Path, what: str, end: str
) -> None:
    mask = earlier / sample_path(CODES[1], "mask")
    path = mask if end == "mask" else mask.with_name(mask.name.replace(".nii.gz", ".json"))
    content = path.read_bytes()
    path.unlink()
    if what == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif what == "a link":
        (tmp_path / "elsewhere").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere")
    elif what == "a folder":
        path.mkdir()
    built = _rebuilt(cases, earlier)
    assert built.taken_over == 4
    assert not (built.folder / path.relative_to(earlier)).is_symlink()


def test_where_both_are_damaged_the_source_is_named(cases: list[ReleaseCase], earlier: Path) -> None:
    (earlier / sample_path(CODES[1], "mask")).unlink()
    write_mask(cases[1].mask, Mask(read_mask(cases[1].mask).data * 0, read_mask(cases[1].mask).grid))
    with pytest.raises(RejectedInput, match=r"Case sub-0002_ses-1.*mask_file.*source-changed"):
        build_release(cases, NEXT, earlier.parent, earlier=earlier)


@pytest.mark.parametrize("what", ["changed", "another digest", "gone", "of schema 2"])
def test_of_a_version_whose_manifest_cannot_be_believed_nothing_is_taken_over(
    cases: list[ReleaseCase], earlier: Path, what: str
) -> None:
    if what == "changed":
        rewrite(earlier, lambda value: value["cases"][0].update(volume_ml=7.5), honest=False)
    elif what == "another digest":
        manifest = json.loads((earlier / "manifest.json").read_bytes())
        (earlier / "manifest.json").write_text(json.dumps(manifest | {"release_digest": "0" * 64}))
    elif what == "gone":
        (earlier / "manifest.json").unlink()
    else:
        shutil.copyfile(Path(__file__).parent / "schema_2/thigh-tumours-1.2.0/manifest.json", earlier / "manifest.json")
    assert EarlierVersion.in_folder(earlier) is None
    assert _rebuilt(cases, earlier).taken_over == 0


def test_cases_that_an_earlier_version_lacks_are_checked_before_anything_is_written(
    cases: list[ReleaseCase], tmp_path: Path
) -> None:
    earlier = build_release(cases[:4], SETTINGS, tmp_path / "before").folder
    cases[4] = replace(cases[4], quality_score=QualityScore.EXCELLENT)
    with pytest.raises(RejectedInput, match=r"Case sub-0003_ses-2.*mask-empty"):
        build_release(cases, NEXT, tmp_path / "out", earlier=earlier)
    assert not (tmp_path / "out").exists()


def test_cases_that_are_known_are_held_to_what_is_asked_now(cases: list[ReleaseCase], tmp_path: Path) -> None:
    """An image that was optional, or an empty mask that was approved, in the earlier version."""
    optional = tuple(replace(role, is_required=False) for role in SETTINGS.roles)
    cases[0] = replace(cases[0], images={"t2": cases[0].images["t2"]})
    cases[4] = replace(cases[4], empty_mask_approved=True, quality_score=QualityScore.EXCELLENT)
    earlier = build_release(cases, replace(SETTINGS, roles=optional), tmp_path / "before").folder
    with pytest.raises(RejectedInput, match=r"Case sub-0001_ses-1.*case-image-missing"):
        build_release(cases, NEXT, tmp_path / "out", earlier=earlier)
    cases[4] = replace(cases[4], empty_mask_approved=False)
    with pytest.raises(RejectedInput, match=r"Case sub-0003_ses-2.*mask-empty"):
        build_release(cases, replace(NEXT, roles=optional), tmp_path / "out", earlier=earlier)


def test_patients_who_left_are_in_no_byte_of_the_next_version(cases: list[ReleaseCase], earlier: Path) -> None:
    gone = [path for path in files_of(earlier) if path.startswith("sub-0002/") and path.endswith(".gz")]
    kept = [case for case in cases if case.patient_code != "sub-0002"]
    built = _rebuilt(kept, earlier, replace(NEXT, withdrawn=CODES[1:3]))
    assert built.taken_over == 3
    assert len(gone) == 6
    assert not {files_of(earlier)[path] for path in gone} & set(files_of(built.folder).values())
    assert not [path for path in files_of(built.folder) if "sub-0002" in path]


WHOLE = {
    "whole": ([0.0, 1.0, -5.0], np.int16),
    "largest": ([-32768.0, 32767.0], np.int16),
    "too large": ([32768.0], np.float32),
    "too small": ([-32769.0], np.float32),
    "fractions": ([0.0, 0.5], np.float32),
}


@pytest.mark.parametrize(("values", "kind"), WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("order", ["C", "F"])
def test_images_become_whole_numbers_where_that_loses_nothing(values: list[float], kind: type, order: str) -> None:
    """Also where only the last of several pieces says so."""
    data = np.zeros((128, 128, 65), np.float32, order=order)
    data[-1, -1, -len(values) :] = values
    found = compact(data)
    assert found.dtype == kind
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    data = np.full((128, 128, 65), 0.5, np.float32)
    data[-1, -1, -1] = value
    with pytest.raises(RejectedInput, match="image-not-finite"):
        compact(data)
