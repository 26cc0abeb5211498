"""Verifying releases: every changed bit is found and named, and no content makes it raise."""

import json
import os
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
from datasets.release.verify import verify_release
from tests.datasets.release.samples import files_of, oblique_affine, replace_file, rewrite

FILES = [
    "LICENSE.txt",
    "README.md",
    "SHA256SUMS",
    "cases.csv",
    "manifest.json",
    "splits.json",
    *(f"cases/C000{number}/{role}.nii.gz" for number in range(1, 6) for role in ("t1", "t2")),
    *(f"cases/C000{number}/mask.nii.gz" for number in range(1, 6)),
]
LISTS = ("SHA256SUMS", "manifest.json")


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
    assert (report.files, report.cases) == (21, 5)
    assert report.bytes == sum(map(len, content.values()))
    assert report.digest == json.loads(content["manifest.json"])["release_digest"]
    assert verify_release(sound_release, expected_digest=report.digest).is_sound


def test_a_stranger_verifies_with_sha256sum_alone(release: Path) -> None:
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    if shutil.which(command[0]) is None:
        pytest.skip("NO sha256sum ON THIS MACHINE: this test did not run.")
    sound = subprocess.run(command, cwd=release, capture_output=True, text=True, check=True)
    assert sound.stdout.count(": OK") == len(FILES) - 1
    _flip(release / "cases/C0002/mask.nii.gz", 40, 3)
    damaged = subprocess.run(command, cwd=release, capture_output=True, text=True, check=False)
    assert damaged.returncode == 1
    assert "cases/C0002/mask.nii.gz: FAILED" in damaged.stdout


def _flip(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_found_and_its_file_named(release: Path, name: str) -> None:
    """First and last bytes and twelve drawn ones, one drawn bit each; nothing but the flipped file is named."""
    path = release / name
    content = path.read_bytes()
    random = np.random.default_rng(FILES.index(name))
    positions = {0, 3, len(content) - 1, *random.integers(0, len(content), 12).tolist()}
    for position in sorted(positions):
        _flip(path, position, int(random.integers(0, 8)))
        assert {subject for _, subject in _found(release)} == {name}, position
        path.write_bytes(content)
    assert _found(release) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_no_stretch_of_the_lists_is_free_to_change(release: Path, name: str) -> None:
    path = release / name
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        _flip(path, position, position % 8)
        assert {subject for _, subject in _found(release)} == {name}, position
        path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    assert _found(release) == {("file-missing", name)}


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(release: Path, name: str) -> None:
    content = (release / name).read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 1):
        (release / name).write_bytes(content[:size])
        found = _found(release)
        assert {subject for _, subject in found} == {name}, size
        if name != "manifest.json":
            assert found == {("file-truncated", name)}


@pytest.mark.parametrize("name", [name for name in FILES if name not in LISTS])
def test_a_longer_file_is_named(release: Path, name: str) -> None:
    with (release / name).open("ab") as stream:
        stream.write(b"\0")
    assert _found(release) == {("file-changed", name)}


@pytest.mark.parametrize("name", ["notes.txt", "cases/C0001/.DS_Store", "cases/C0009/mask.nii.gz", "new/deep/er.txt"])
def test_an_extra_file_is_named(release: Path, name: str) -> None:
    (release / name).parent.mkdir(parents=True, exist_ok=True)
    (release / name).write_bytes(b"x")
    assert _found(release) == {("file-extra", name)}


def test_an_empty_folder_is_named(release: Path) -> None:
    (release / "cases" / "old").mkdir()
    assert _found(release) == {("folder-extra", "cases/old")}


def test_a_renamed_file_is_named_with_both_names(release: Path) -> None:
    (release / "cases/C0001/mask.nii.gz").rename(release / "cases/C0001/Mask.nii.gz")
    assert _found(release) == {("file-renamed", "cases/C0001/mask.nii.gz")}
    assert "'cases/C0001/Mask.nii.gz'" in verify_release(release).findings[0].message


def test_two_files_that_changed_places_are_both_named(release: Path) -> None:
    one, two = release / "cases/C0001/mask.nii.gz", release / "cases/C0002/mask.nii.gz"
    swapped = one.read_bytes(), two.read_bytes()
    two.write_bytes(swapped[0])
    one.write_bytes(swapped[1])
    assert {subject for _, subject in _found(release)} == {"cases/C0001/mask.nii.gz", "cases/C0002/mask.nii.gz"}


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS", "cases/C0001/mask.nii.gz"])
def test_a_link_is_never_followed(release: Path, tmp_path: Path, name: str) -> None:
    """Not even to the very bytes that belong there."""
    (release / name).rename(tmp_path / "moved")
    (release / name).symlink_to(tmp_path / "moved")
    assert _found(release) == {("symlink", name), ("file-missing", name)}


def test_links_to_folders_circles_and_nothing(release: Path) -> None:
    (release / "cases/all").symlink_to(release)
    (release / "cases/none").symlink_to(release / "absent")
    assert _found(release) == {("symlink", "cases/all"), ("symlink", "cases/none")}


def test_a_linked_folder_hides_no_files(release: Path, tmp_path: Path) -> None:
    (release / "cases").rename(tmp_path / "cases")
    (release / "cases").symlink_to(tmp_path / "cases")
    missing = {("file-missing", name) for name in FILES if name.startswith("cases/")}
    assert _found(release) == {("symlink", "cases"), *missing}


@pytest.mark.parametrize("name", ["pipe", "manifest.json"])
def test_a_pipe_is_named_and_not_opened(release: Path, name: str) -> None:
    (release / name).unlink(missing_ok=True)
    os.mkfifo(release / name)
    assert ("not-a-file", name) in _found(release)


ESCAPES = {
    "up": "../outside.txt",
    "inside-up": "images/../../outside.txt",
    "absolute": "/etc/passwd",
    "backslash": "images\\..\\x",
    "drive": "C:/x",
    "dot": "./README.md",
    "empty": "",
    "nul": "a\0b",
    "newline": "a\nb",
    "right-to-left": "a\u202egz.iin",
    "hidden": ".hidden",
    "double-slash": "images//x",
}


@pytest.mark.parametrize("honest", [True, False], ids=["digests-agree", "digests-differ"])
@pytest.mark.parametrize("path", ESCAPES.values(), ids=ESCAPES)
def test_a_path_that_leads_outside_is_named_and_never_opened(
    release: Path, monkeypatch: pytest.MonkeyPatch, path: str, honest: bool
) -> None:
    (release.parent / "outside.txt").write_bytes(b"secret")

    def escape(value: dict) -> None:
        value["files"].append({"path": path, "sha256": "0" * 64, "bytes": 6, "media_type": "text/plain"})

    rewrite(release, escape, honest=honest)
    opened: list[Path] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *rest, **named: opened.append(self) or real(self, *rest, **named))
    found = _found(release)
    assert ("path-escape", "manifest.json") in found
    assert all(subject in LISTS for _, subject in found)
    assert all(".." not in each.parts and each.is_relative_to(release) for each in opened)


def test_a_path_outside_in_sha256sums_alone_is_named(release: Path) -> None:
    (release / "manifest.json").unlink()
    with (release / "SHA256SUMS").open("a") as stream:
        stream.write("0" * 64 + "  ../outside.txt\n")
    assert _found(release) == {("file-missing", "manifest.json"), ("path-escape", "SHA256SUMS")}


def _twice(value: dict) -> None:
    value["files"].append(value["files"][0])


def _twin(value: dict) -> None:
    value["files"].append(value["files"][0] | {"path": value["files"][0]["path"].lower()})


@pytest.mark.parametrize(("change", "code"), [(_twice, "path-duplicate"), (_twin, "path-twin")])
def test_a_path_twice_is_named(release: Path, change: Callable[[dict], None], code: str) -> None:
    rewrite(release, change)
    assert (code, "manifest.json") in _found(release)


MANIFESTS = {
    "empty": b"",
    "not-json": b"{",
    "not-utf-8": b"\xff\xfe{}",
    "a-list": b"[]",
    "null": b"null",
    "another-schema": b'{"schema": "maskloop-release/999"}',
    "fields-missing": b'{"schema": "maskloop-release/2"}',
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
    path.write_text(path.read_text().replace('"seed": 7', f'"seed": {number}'))
    assert _found(release) == {("json-unsound", "manifest.json")}


def test_repeated_keys_in_a_manifest(release: Path) -> None:
    path = release / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 7, "seed": 7'))
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
    "case-no-images": lambda value: value["cases"][0].update(images=[]),
    "case-image-twice": lambda value: value["cases"][0].update(images=["t2", "t2"]),
    "case-mask-as-image": lambda value: value["cases"][0].update(images=["mask", "t2"]),
    "case-role-of-nobody": lambda value: value["cases"][0].update(images=["ct", "t2"]),
    "case-drawn-on-nothing": lambda value: value["cases"][0].update(drawn_role="ct"),
    "case-drawn-list": lambda value: value["cases"][0].update(drawn_role=["t2"]),
    "roles-object": lambda value: value.update(roles={}),
    "role-number": lambda value: value["roles"][0].update(name=1),
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


def test_a_changed_source_in_the_manifest_is_found(release: Path) -> None:
    rewrite(release, lambda value: value["cases"][0]["sources"].update(t1_series="0" * 64), honest=False)
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


@pytest.mark.parametrize("name", ["cases/C0003/t1.nii.gz", "cases/C0003/t2.nii.gz", "cases/C0003/mask.nii.gz"])
def test_grids_that_differ_are_named_by_case(release: Path, name: str) -> None:
    volume = read_volume(release / name)
    replace_file(release, name, encode(np.asarray(volume.data), oblique_affine(spacing=(0.5, 0.6, 4.1))))
    assert _found(release) == {("grid-mismatch", "C0003")}


def test_values_that_the_manifest_does_not_name_are_named_by_case(release: Path) -> None:
    name = "cases/C0002/mask.nii.gz"
    mask = read_volume(release / name)
    data = np.asarray(mask.data, np.uint8)
    data[0, 0, 0], data[1, 0, 0] = 9, 4
    replace_file(release, name, encode(data, mask.grid.affine))
    assert _found(release) == {("mask-labels", "C0002")}
    assert "4, 9" in verify_release(release).findings[0].message
    rewrite(release, lambda value: value["labels"].extend([{"value": 4, "name": "a"}, {"value": 9, "name": "b"}]))
    assert _found(release) == set()


@pytest.mark.parametrize("content", [b"", b"not an image", encode(np.zeros((2, 2, 2, 2), np.uint8)[..., 0], np.eye(4))])
def test_images_that_are_none_are_named_by_case(release: Path, content: bytes) -> None:
    replace_file(release, "cases/C0002/t1.nii.gz", content)
    assert {subject for _, subject in _found(release)} == {"C0002"}


def test_a_case_without_its_mask_and_a_mask_without_its_case(release: Path) -> None:
    rewrite(release, lambda value: value["cases"][0].update(case="C0008"))
    found = _found(release)
    assert ("case-incomplete", "C0008") in found
    assert ("file-without-case", "cases/C0001/mask.nii.gz") in found
    assert ("splits-incomplete", "splits.json") in found


@pytest.mark.parametrize(
    ("folds", "code"),
    [
        ([["C0001", "C0002"], ["C0003", "C0004", "C0005"]], "splits-leak"),
        ([["C0001"], ["C0002", "C0003"]], "splits-incomplete"),
        ([["C0001"], ["C0001"], ["C0002", "C0003"], ["C0004", "C0005"]], "splits-incomplete"),
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
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
)
@pytest.mark.parametrize("name", LISTS)
def test_no_list_makes_it_raise(release: Path, name: str, content: bytes) -> None:
    original = (release / name).read_bytes()
    (release / name).write_bytes(content)
    assert {subject for _, subject in _found(release)} == {name}
    (release / name).write_bytes(original)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=json_values)
def test_no_field_of_an_honest_manifest_makes_it_raise(
    release: Path, sound_release: Path, data: st.DataObject, value: object
) -> None:
    """Any value in any field, with a digest that agrees, and with one that does not."""
    for name in LISTS:
        (release / name).write_bytes((sound_release / name).read_bytes())
    whole = json.loads((release / "manifest.json").read_bytes())
    place = data.draw(st.sampled_from([whole, whole["files"][0], whole["cases"][0]]))
    key = data.draw(st.sampled_from(sorted(set(place) - {"release_digest"})))
    place[key] = value
    content = canonical_json(whole) if _can_encode(value) else b"{}"
    (release / "manifest.json").write_bytes(content)
    verify_release(release)
    if _can_encode(value) and isinstance(whole["files"], list) and key not in ("path", "sha256", "files"):
        rewrite(release, lambda manifest: None)
        verify_release(release)


def _can_encode(value: object) -> bool:
    try:
        canonical_json(value)
    except UnicodeEncodeError:
        return False
    return True
