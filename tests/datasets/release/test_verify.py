"""Verifying releases: every changed bit is found and named, and no content makes it raise."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.files import canonical_json
from datasets.formats.nifti import encode, read_volume
from datasets.gate import FastInflating
from datasets.inflating import Bytes
from datasets.release import verify
from datasets.release.build import build_release
from datasets.release.manifest_reading import read_manifest
from datasets.release.verification.lists import judge_lists
from datasets.release.verify import verify_release
from tests.datasets.release.describing.samples import TEXTS as WRITTEN
from tests.datasets.release.samples import (
    CODES,
    SETTINGS,
    files_of,
    oblique_affine,
    replace_file,
    rewrite,
    sample_path,
    write_case,
)
from tests.datasets.support.opened_files import opened_files

LISTS = ("SHA256SUMS", "manifest.json")
TEXTS = tuple(sorted(WRITTEN))
VOLUMES = [sample_path(code, name) for code in CODES for name in ("t1", "t2", "mask")]
RECORDS = [path.replace(".nii.gz", ".json") for path in VOLUMES]
FILES = [*LISTS, *TEXTS, *VOLUMES, *RECORDS]
ONE_OF_EACH = [*LISTS, *TEXTS, *VOLUMES[:3], *RECORDS[:3]]
"""The files of one case stand for those of all."""


def _found(release: Path) -> set[tuple[str, str]]:
    """Code and subject of every finding; each must say what to do."""
    report = verify_release(release)
    assert all(finding.remedy and finding.message for finding in report.findings)
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["sound"] is report.is_sound
    return {(finding.code, finding.subject) for finding in report.findings}


def test_a_sound_release(sound_release: Path) -> None:
    report = verify_release(sound_release)
    content = files_of(sound_release)
    assert sorted(content) == sorted(FILES)
    assert report.findings == ()
    assert (report.files, report.cases) == (len(FILES), 5)
    assert report.bytes == sum(map(len, content.values()))
    assert report.digest == json.loads(content["manifest.json"])["release_digest"]
    assert verify_release(sound_release, expected_digest=report.digest).is_sound


def test_a_stranger_verifies_with_sha256sum_alone(release: Path) -> None:
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    if shutil.which(command[0]) is None:
        pytest.skip("NO sha256sum ON THIS MACHINE: this test did not run.")
    sound = subprocess.run(command, cwd=release, capture_output=True, text=True, check=True)
    assert sound.stdout.count(": OK") == len(FILES) - 1
    _flip(release / sample_path(CODES[1], "mask"), 40, 3)
    damaged = subprocess.run(command, cwd=release, capture_output=True, text=True, check=False)
    assert damaged.returncode == 1
    assert "sub-0002/ses-1/anat/sub-0002_ses-1_label-Tumour_mask.nii.gz: FAILED" in damaged.stdout


def _flip(path: Path, position: int, bit: int) -> None:
    path.write_bytes(_flipped(path.read_bytes(), position, bit))


@pytest.mark.slow
@pytest.mark.parametrize("damaged_list", [None, *LISTS])
def test_flipped_bits_are_found_and_just_their_files_named(release: Path, damaged_list: str | None) -> None:
    """One bit in each of a drawn half of the files, many times, until each file had its first, its last and others."""
    random = np.random.default_rng(len(damaged_list or ""))
    others = [*TEXTS, *VOLUMES, *RECORDS]
    for turn in range(12):
        half = [name for name in others if random.integers(2)] + [damaged_list] * bool(damaged_list)
        whole = {name: (release / name).read_bytes() for name in half}
        for name, content in whole.items():
            position = {0: 0, 1: len(content) - 1, 2: 3}.get(turn, int(random.integers(len(content))))
            _flip(release / name, position, int(random.integers(8)))
        assert {subject for _, subject in _found(release)} == set(half), turn
        for name, content in whole.items():
            (release / name).write_bytes(content)
    assert _found(release) == set()


def test_no_stretch_of_the_manifest_is_free_to_change(sound_release: Path) -> None:
    """Each seventh byte of it, one bit each; SHA256SUMS still says what belongs there."""
    content, sums = ((sound_release / name).read_bytes() for name in ("manifest.json", "SHA256SUMS"))
    for position in range(0, len(content), 7):
        listing = judge_lists(_flipped(content, position, position % 8), sums)
        assert {fault.subject for fault in listing.faults} == {"manifest.json"}, position
        assert listing.manifest is None
        assert set(listing.files or ()) == set(FILES) - set(LISTS)


def test_no_stretch_of_the_sums_is_free_to_change(sound_release: Path) -> None:
    """The manifest knows their digest; without it, a bit that is flipped makes another line, or none."""
    content, sums = ((sound_release / name).read_bytes() for name in ("manifest.json", "SHA256SUMS"))
    listing = judge_lists(content, sums)
    assert listing.files is not None
    assert listing.files["SHA256SUMS"].sha256 == hashlib.sha256(sums).hexdigest()
    alone = judge_lists(None, sums).files
    for position in range(0, len(sums), 7):
        changed = _flipped(sums, position, position % 8)
        assert judge_lists(None, changed).files != alone or b"manifest.json" in _line(sums, position), position


def _line(content: bytes, position: int) -> bytes:
    return content[content.rfind(b"\n", 0, position) + 1 : content.find(b"\n", position)]


def _flipped(content: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    assert _found(release) == {("file-missing", name)}


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_truncated_file_is_named(release: Path, name: str) -> None:
    content = (release / name).read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 1):
        (release / name).write_bytes(content[:size])
        found = _found(release)
        assert {subject for _, subject in found} == {name}, size
        if name != "manifest.json":
            assert found == {("file-truncated", name)}


@pytest.mark.parametrize("name", [name for name in ONE_OF_EACH if name not in LISTS])
def test_a_longer_file_is_named(release: Path, name: str) -> None:
    with (release / name).open("ab") as stream:
        stream.write(b"\0")
    assert _found(release) == {("file-changed", name)}


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "sub-0001/ses-1/anat/.DS_Store",
        sample_path("sub-0009_ses-1", "mask"),
        "new/deep/er.txt",
    ],
)
def test_an_extra_file_is_named(release: Path, name: str) -> None:
    (release / name).parent.mkdir(parents=True, exist_ok=True)
    (release / name).write_bytes(b"x")
    assert _found(release) == {("file-extra", name)}


def test_an_empty_folder_is_named(release: Path) -> None:
    (release / "sub-0001" / "old").mkdir()
    assert _found(release) == {("folder-extra", "sub-0001/old")}


def test_a_renamed_file_is_named_with_both_names(release: Path) -> None:
    (release / sample_path(CODES[0], "mask")).rename(release / "sub-0001/ses-1/anat/Mask.nii.gz")
    assert _found(release) == {("file-renamed", sample_path(CODES[0], "mask"))}
    assert "'sub-0001/ses-1/anat/Mask.nii.gz'" in verify_release(release).findings[0].message


def test_two_files_that_changed_places_are_both_named(release: Path) -> None:
    one, two = (
        release / sample_path(CODES[0], "mask"),
        release / sample_path(CODES[1], "mask"),
    )
    swapped = one.read_bytes(), two.read_bytes()
    two.write_bytes(swapped[0])
    one.write_bytes(swapped[1])
    assert {subject for _, subject in _found(release)} == {
        sample_path(CODES[0], "mask"),
        sample_path(CODES[1], "mask"),
    }


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS", sample_path(CODES[0], "mask")])
def test_a_link_is_never_followed(release: Path, tmp_path: Path, name: str) -> None:
    """Not even to the very bytes that belong there."""
    (release / name).rename(tmp_path / "moved")
    (release / name).symlink_to(tmp_path / "moved")
    assert _found(release) == {("symlink", name), ("file-missing", name)}


def test_links_to_folders_circles_and_nothing(release: Path) -> None:
    (release / "sub-0001/all").symlink_to(release)
    (release / "sub-0001/none").symlink_to(release / "absent")
    assert _found(release) == {("symlink", "sub-0001/all"), ("symlink", "sub-0001/none")}


def test_a_linked_folder_hides_no_files(release: Path, tmp_path: Path) -> None:
    (release / "sub-0002").rename(tmp_path / "sub-0002")
    (release / "sub-0002").symlink_to(tmp_path / "sub-0002")
    missing = {("file-missing", name) for name in FILES if name.startswith("sub-0002/")}
    assert len(missing) == 12
    assert _found(release) == {("symlink", "sub-0002"), *missing}


@pytest.mark.parametrize("name", ["pipe", "manifest.json"])
def test_a_pipe_is_named_and_not_opened(release: Path, name: str) -> None:
    (release / name).unlink(missing_ok=True)
    os.mkfifo(release / name)
    assert ("not-a-file", name) in _found(release)


ESCAPES = {
    "up": "../outside.txt",
    "inside-up": "sub-0001/../../outside.txt",
    "absolute": "/etc/passwd",
    "backslash": "sub-0001\\..\\x",
    "drive": "C:/x",
    "dot": "./README.md",
    "empty": "",
    "nul": "a\0b",
    "newline": "a\nb",
    "right-to-left": "a\u202egz.iin",
    "hidden": ".hidden",
    "double-slash": "sub-0001//x",
}


@pytest.mark.parametrize("honest", [True, False], ids=["digests-agree", "digests-differ"])
@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES)
def test_a_path_that_leads_outside_is_named_and_never_opened(release: Path, path: str, honest: bool) -> None:
    (release.parent / "outside.txt").write_bytes(b"secret")

    def escape(value: dict) -> None:
        value["files"].append({"path": path, "sha256": "0" * 64, "bytes": 6, "media_type": "text/plain"})

    rewrite(release, escape, honest=honest)
    with opened_files() as opened:
        found = _found(release)
    assert ("path-escape", "manifest.json") in found
    assert all(subject in LISTS for _, subject in found)
    assert len(opened) >= len(FILES)
    assert all(".." not in each.parts and each.is_relative_to(release) for each in opened)


def test_a_path_outside_in_sha256sums_alone_is_named(release: Path) -> None:
    (release / "manifest.json").unlink()
    with (release / "SHA256SUMS").open("a") as stream:
        stream.write("0" * 64 + "  ../outside.txt\n")
    assert _found(release) == {("file-missing", "manifest.json"), ("path-escape", "SHA256SUMS")}


def _twice(value: dict) -> None:
    value["files"].append(value["files"][0])


def _twin(value: dict) -> None:
    value["files"].append(value["files"][1] | {"path": value["files"][1]["path"].lower()})


def _below_a_file(value: dict) -> None:
    value["files"].append({**value["files"][0], "path": "readme.md/x"})


def _of_a_long_name(value: dict) -> None:
    value["files"].append({**value["files"][0], "path": "a" * 256})


def _of_a_long_path(value: dict) -> None:
    value["files"].append({**value["files"][0], "path": "/".join(["a" * 200] * 6)})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_twice, "path-duplicate"),
        (_twin, "path-twin"),
        (_below_a_file, "path-below-file"),
        (_of_a_long_name, "path-long"),
        (_of_a_long_path, "path-long"),
    ],
)
def test_a_path_that_no_disk_can_have_is_named(release: Path, change: Callable[[dict], None], code: str) -> None:
    rewrite(release, change)
    assert (code, "manifest.json") in _found(release)


MANIFESTS = {
    "empty": b"",
    "not-json": b"{",
    "not-utf-8": b"\xff\xfe{}",
    "a-list": b"[]",
    "null": b"null",
    "another-schema": b'{"schema": "maskloop-release/999"}',
    "fields-missing": b'{"schema": "maskloop-release/3"}',
    "fields-missing-of-schema-2": b'{"schema": "maskloop-release/2"}',
    "fields-missing-of-schema-1": b'{"schema": "maskloop-release/1"}',
    "schema-list": b'{"schema": []}',
    "deep": b"[" * 200_000,
    "long-number": b'{"schema": ' + b"9" * 10_000 + b"}",
    "lone-surrogate": b'{"schema": "\\ud800"}',
}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_none_is_named_and_the_files_are_still_checked(release: Path, content: bytes) -> None:
    (release / "manifest.json").write_bytes(content)
    _flip(release / "README.md", 5, 1)
    assert {subject for _, subject in _found(release)} == {"manifest.json", "README.md"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_are_none_in_a_manifest(release: Path, number: str) -> None:
    path = release / "manifest.json"
    path.write_text(re.sub(r'"volume_ml": [0-9.]+', f'"volume_ml": {number}', path.read_text()))
    assert _found(release) == {("json-unsound", "manifest.json")}


def test_repeated_keys_in_a_manifest(release: Path) -> None:
    path = release / "manifest.json"
    path.write_text(path.read_text().replace('"version": ', '"version": "1.2.0", "version": '))
    assert _found(release) == {("json-unsound", "manifest.json")}


WRONG_TYPES = {
    "path-number": lambda value: value["files"][0].update(path=1),
    "path-null": lambda value: value["files"][0].update(path=None),
    "bytes-text": lambda value: value["files"][0].update(bytes="1"),
    "bytes-true": lambda value: value["files"][0].update(bytes=True),
    "files-object": lambda value: value.update(files={}),
    "files-numbers": lambda value: value.update(files=[1]),
    "cases-null": lambda value: value.update(cases=None),
    "case-extra-field": lambda value: value["cases"][0].update(name="x"),
    "case-list": lambda value: value["cases"][0].update(case=["x"]),
    "case-no-images": lambda value: value["cases"][0].update(images={}),
    "case-images-list": lambda value: value["cases"][0].update(images=["t1", "t2"]),
    "case-image-number": lambda value: value["cases"][0]["images"].update(t1=1),
    "case-mask-as-image": lambda value: value["cases"][0]["images"].update(mask="x.nii.gz"),
    "case-role-of-nobody": lambda value: value["cases"][0]["images"].update(ct="x.nii.gz"),
    "case-role-missing-of-nobody": lambda value: value["cases"][0].update(missing_images=["ct"]),
    "case-mask-null": lambda value: value["cases"][0].update(mask=None),
    "case-record-number": lambda value: value["cases"][0].update(record=1),
    "case-voxels-list": lambda value: value["cases"][0].update(voxels=[]),
    "case-voxels-number": lambda value: value["cases"][0]["voxels"].update(t1=1),
    "case-fingerprint-null": lambda value: value["cases"][0].update(fingerprint=None),
    "case-former-codes-number": lambda value: value["cases"][0].update(former_codes=[1]),
    "case-drawn-on-nothing": lambda value: value["cases"][0].update(drawn_role="ct"),
    "case-drawn-list": lambda value: value["cases"][0].update(drawn_role=["t2"]),
    "roles-object": lambda value: value.update(roles={}),
    "role-number": lambda value: value["roles"][0].update(name=1),
    "role-kind-null": lambda value: value["roles"][0].update(kind=None),
    "role-modality": lambda value: value["roles"][0].update(modality="MR"),
    "label-value-list": lambda value: value["labels"][0].update(value=[1]),
    "label-name-null": lambda value: value["labels"][0].update(name=None),
    "label-extra-field": lambda value: value["labels"][0].update(colour="red"),
    "protocol-text": lambda value: value.update(protocol="mstt-199"),
    "protocol-number": lambda value: value.update(protocol=0),
    "digest-short": lambda value: value["files"][0].update(sha256="0"),
    "withdrawn-numbers": lambda value: value.update(withdrawn=[1]),
}


@pytest.mark.parametrize("change", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types_in_a_manifest_never_raise(release: Path, change: Callable[[dict], None]) -> None:
    path = release / "manifest.json"
    value = json.loads(path.read_bytes())
    change(value)
    path.write_bytes(canonical_json(value))
    found = _found(release)
    assert found
    assert {subject for _, subject in found} == {"manifest.json"}


@pytest.mark.parametrize("field", ["fingerprint", "tissue_type"])
def test_a_changed_field_of_the_manifest_is_found(release: Path, field: str) -> None:
    rewrite(release, lambda value: value["cases"][0].update({field: "0" * 64}), honest=False)
    assert _found(release) == {("manifest-changed", "manifest.json")}


def test_a_release_changed_throughout_needs_the_publisher_s_digest(release: Path, sound_release: Path) -> None:
    published = verify_release(sound_release).digest
    replace_file(release, "README.md", b"# Other\n")
    assert verify_release(release).is_sound
    report = verify_release(release, expected_digest=published)
    assert [(finding.code, finding.subject) for finding in report.findings] == [("release-digest", "manifest.json")]


def test_lists_that_are_both_gone(release: Path) -> None:
    for name in LISTS:
        (release / name).unlink()
    assert _found(release) == {("file-missing", name) for name in LISTS}
    assert verify_release(release).files == 0


def test_sums_that_are_damaged_beside_a_damaged_manifest(release: Path) -> None:
    _flip(release / "manifest.json", 30, 1)
    (release / "SHA256SUMS").write_bytes(b"\xff" * 100)
    found = _found(release)
    assert ("sums-unreadable", "SHA256SUMS") in found
    assert {subject for _, subject in found} == set(LISTS)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "absent", tmp_path / "file"):
        assert _found(path) == {("release-missing", "")}
    assert _found(tmp_path) == {("file-missing", name) for name in LISTS}


@pytest.mark.parametrize(
    "name",
    [
        sample_path(CODES[2], "t1"),
        sample_path(CODES[2], "t2"),
        sample_path(CODES[2], "mask"),
    ],
)
def test_grids_that_differ_are_named_by_case(release: Path, name: str) -> None:
    volume = read_volume(release / name)
    replace_file(release, name, encode(np.asarray(volume.data), oblique_affine(spacing=(0.5, 0.6, 4.1))))
    assert _found(release) == {("grid-mismatch", CODES[2])}


def test_values_that_the_manifest_does_not_name_are_named_by_case(release: Path) -> None:
    name = sample_path(CODES[1], "mask")
    mask = read_volume(release / name)
    data = np.asarray(mask.data, np.uint8)
    data[0, 0, 0], data[1, 0, 0] = 9, 4
    replace_file(release, name, encode(data, mask.grid.affine))
    assert _found(release) == {("mask-labels", CODES[1])}
    assert "4, 9" in verify_release(release).findings[0].message
    rewrite(release, lambda value: value["labels"].extend([{"value": 4, "name": "a"}, {"value": 9, "name": "b"}]))
    assert _found(release) == set()


def test_what_was_seen_in_a_sound_version_is_hashed_and_not_inflated_again(
    release: Path, sound_release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = read_manifest((sound_release / "manifest.json").read_bytes())
    inflated: list[object] = []

    class Counted(FastInflating):
        def __init__(self, stream: Bytes, *, is_gzip: bool) -> None:
            super().__init__(stream, is_gzip=is_gzip)
            inflated.append(stream)

    monkeypatch.setattr(verify, "FastInflating", Counted)
    assert verify_release(release, seen=seen).is_sound
    assert inflated == []
    name = sample_path(CODES[2], "mask")
    mask = read_volume(release / name)
    replace_file(release, name, encode(np.asarray(mask.data, np.uint8) * 9, mask.grid.affine))
    _flip(release / sample_path(CODES[0], "t1"), 30, 1)
    found = {(finding.code, finding.subject) for finding in verify_release(release, seen=seen).findings}
    assert found == {("mask-labels", CODES[2]), ("file-changed", sample_path(CODES[0], "t1"))}
    assert len(inflated) == 3
    rewrite(release, lambda value: value["labels"][0].update(value=2))
    assert ("mask-labels", CODES[1]) in {
        (finding.code, finding.subject) for finding in verify_release(release, seen=seen).findings
    }


@pytest.mark.parametrize("content", [b"", b"not an image", encode(np.zeros((2, 2, 2, 2), np.uint8)[..., 0], np.eye(4))])
def test_images_that_are_none_are_named_by_case(release: Path, content: bytes) -> None:
    replace_file(release, sample_path(CODES[1], "t1"), content)
    assert {subject for _, subject in _found(release)} == {CODES[1]}


def test_a_case_without_its_mask_and_a_mask_without_its_case(release: Path) -> None:
    mask, record = sample_path(CODES[0], "mask"), sample_path(CODES[1], "mask").replace(".nii.gz", ".json")
    rewrite(release, lambda value: value["cases"][0].update(mask=sample_path("sub-0008_ses-1", "mask")))
    assert _found(release) == {("case-incomplete", CODES[0]), ("file-without-case", mask)}
    rewrite(release, lambda value: value["cases"][0].update(mask=mask))
    rewrite(release, lambda value: value["cases"][1].update(record="sub-0008/record.json"))
    assert _found(release) == {("case-incomplete", CODES[1]), ("file-without-case", record)}


def test_a_case_that_is_in_no_fold(release: Path) -> None:
    rewrite(release, lambda value: value["cases"][0].update(case="sub-0008_ses-1"))
    assert _found(release) == {("splits-incomplete", "splits.json")}


@pytest.mark.parametrize(
    ("folds", "code"),
    [
        ([[CODES[0], CODES[1]], [CODES[2], CODES[3], CODES[4]]], "splits-leak"),
        ([[CODES[0]], [CODES[1], CODES[2]]], "splits-incomplete"),
        (
            [
                [CODES[0]],
                [CODES[0]],
                [CODES[1], CODES[2]],
                [CODES[3], CODES[4]],
            ],
            "splits-incomplete",
        ),
        ([[{}], 3], "splits-unreadable"),
        (None, "splits-unreadable"),
    ],
)
def test_folds_that_leak_or_miss_cases_are_named(release: Path, folds: object, code: str) -> None:
    replace_file(release, "splits.json", canonical_json({"folds": folds}))
    assert (code, "splits.json") in _found(release)


def test_a_patient_moved_into_two_folds_by_the_manifest_is_named(release: Path) -> None:
    rewrite(release, lambda value: [case.update(patient="P1") for case in value["cases"]])
    assert _found(release) == {("splits-leak", "splits.json")}


def test_names_from_outside_are_shown_without_control_characters(release: Path) -> None:
    (release / "a\n\x1b[31m\u202eb").write_text("x")
    os.close(os.open(os.fsencode(release) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    subjects = {finding.subject for finding in verify_release(release).findings}
    assert subjects == {"a\\n\\x1b[31m\\u202eb", "\\udcff"}


def test_verifying_writes_nothing_and_needs_no_right_to(release: Path) -> None:
    before = files_of(release)
    paths = [release, *release.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert verify_release(release).is_sound
    finally:
        for path in paths:
            path.chmod(0o755)
    assert files_of(release) == before


def test_a_touched_or_newly_owned_file_is_no_finding(release: Path) -> None:
    os.utime(release / "README.md", (1, 1))
    (release / "README.md").chmod(0o600)
    assert _found(release) == set()


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
)
def test_no_list_makes_it_raise(sound_release: Path, content: bytes) -> None:
    manifest, sums = ((sound_release / name).read_bytes() for name in ("manifest.json", "SHA256SUMS"))
    assert {fault.subject for fault in judge_lists(content, sums).faults} == {"manifest.json"}
    assert judge_lists(manifest, content) == judge_lists(manifest, sums)
    assert {fault.subject for fault in judge_lists(None, content).faults} == set(LISTS)
    assert {fault.subject for fault in judge_lists(content, content).faults} == set(LISTS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A release of one case, of which only the manifest is forged, and that manifest."""
    folder = tmp_path_factory.mktemp("small")
    built = build_release([write_case(folder, 1)], SETTINGS, folder).folder
    return built, (built / "manifest.json").read_bytes()


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=json_values)
def test_no_field_of_a_manifest_makes_it_raise(
    small_release: tuple[Path, bytes], data: st.DataObject, value: object
) -> None:
    """Any value in any field, with a digest that agrees, and with one that does not, which needs no folder."""
    folder, sound = small_release
    whole = json.loads(sound)
    places = [whole, whole["files"][0], whole["cases"][0], whole["roles"][0], whole["labels"][0]]
    place = data.draw(st.sampled_from(places))
    place[data.draw(st.sampled_from(sorted(set(place) - {"release_digest"})))] = value
    content = canonical_json(whole) if _can_encode(value) else b"{}"
    assert content == sound or judge_lists(content, None).manifest is None
    whole.pop("release_digest")
    if not _can_encode(value):
        return
    whole["release_digest"] = hashlib.sha256(canonical_json(whole)).hexdigest()
    (folder / "manifest.json").write_bytes(canonical_json(whole))
    report = verify_release(folder)
    assert report.digest in (None, whole["release_digest"])


def _can_encode(value: object) -> bool:
    try:
        canonical_json(value)
    except UnicodeEncodeError:
        return False
    return True
