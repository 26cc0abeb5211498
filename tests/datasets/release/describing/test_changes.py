"""The change log between versions."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.files import sha256_of_bytes
from datasets.release.describing.changes import (
    CaseChange,
    ReleaseChanges,
    change_document,
    change_log,
    changes_since,
    former_changes,
    former_manifest,
)
from datasets.release.manifest import CaseEntry, Manifest, RoleEntry
from datasets.release.manifest_parts import FileEntry, LabelEntry
from datasets.release.paths import CHANGES_DOCUMENT_NAME, MANIFEST_NAME, SPLITS_NAME
from tests.datasets.release.describing.samples import PUBLICATION, entry
from tests.datasets.release.samples import SETTINGS

SPLITS = b"folds"
NEXT = replace(SETTINGS, version="1.2.1", follows="1.2.0")
FORMER = Path(__file__).parents[1]


def manifest(*cases: CaseEntry, **changes: object) -> Manifest:
    found = Manifest(
        name=SETTINGS.name,
        version="1.2.0",
        follows=None,
        licence=SETTINGS.licence,
        protocol=SETTINGS.protocol,
        labels=(LabelEntry(1, "Tumour"),),
        roles=tuple(RoleEntry(role.name, role.title, role.kind, False) for role in SETTINGS.roles),
        software={},
        withdrawn=(),
        cases=cases,
        files=(FileEntry(SPLITS_NAME, sha256_of_bytes(SPLITS), 5, "application/json"),),
    )
    return replace(found, **changes)


def test_the_first_version_says_so() -> None:
    first = changes_since(None, SETTINGS, [entry(1)], splits=SPLITS)
    assert first.sentences == ("First version.",)
    assert change_log([first]) == b"1.2.0\n  - First version.\n"


def test_what_was_not_at_hand_is_said() -> None:
    found = changes_since(None, NEXT, [entry(1)], splits=SPLITS)
    assert found.sentences == ("Follows version 1.2.0; what changed since then was not recorded.",)


def test_nothing_changed_but_texts() -> None:
    found = changes_since(manifest(entry(1), entry(2)), NEXT, [entry(1), entry(2)], splits=SPLITS)
    assert found == ReleaseChanges("1.2.1", since="1.2.0")
    assert found.sentences == ("Texts and tables only.",)


def test_added_corrected_withdrawn_and_left_out() -> None:
    before = manifest(*(entry(number) for number in (2, 3, 4, 5, 6)))
    voxels = {"t1": "t1-2", "t2": "t2-2", "mask": "another"}
    now = [
        entry(2, voxels=voxels, fingerprint="new"),
        entry(3, fingerprint="new"),
        entry(4, tissue_type="nerve", quality_score="sufficient", fingerprint="new"),
        entry(8),
    ]
    reasons = {"sub-1_ses-2": "the oedema was drawn as tumour.", "sub-2_ses-5": "consent was withdrawn"}
    settings = replace(NEXT, withdrawn=("sub-2_ses-5",), reasons=reasons)
    found = changes_since(before, settings, now, splits=SPLITS)
    assert found == ReleaseChanges(
        "1.2.1",
        since="1.2.0",
        added=("sub-4_ses-8",),
        corrected=(
            CaseChange("sub-1_ses-2", ("mask",), "the oedema was drawn as tumour."),
            CaseChange("sub-2_ses-4", ("tissue type", "quality score")),
        ),
        redescribed=("sub-1_ses-3",),
        withdrawn=(CaseChange("sub-2_ses-5", (), "consent was withdrawn"),),
        left_out=("sub-3_ses-6",),
    )
    assert found.sentences == (
        "Withdrawn: sub-2_ses-5: consent was withdrawn.",
        "Corrected: sub-1_ses-2 (mask): the oedema was drawn as tumour.",
        "Corrected: sub-2_ses-4 (tissue type, quality score).",
        "Added: sub-4_ses-8.",
        "No longer in it, and not withdrawn: sub-3_ses-6.",
        "Records that say more or other than before: sub-1_ses-3.",
    )


def test_an_image_that_came_went_or_is_another_is_a_correction() -> None:
    voxels = {"t1": "another", "mask": "mask-2"}
    now = entry(2, voxels=voxels, images={"t1": "t1.nii.gz"}, fingerprint="new")
    [change] = changes_since(manifest(entry(2)), NEXT, [now], splits=SPLITS).corrected
    assert change.parts == ("image t1", "image t2")


def test_a_case_that_got_another_code_is_neither_new_nor_gone() -> None:
    now = replace(entry(2), case="sub-0001_ses-1", former_codes=("sub-1_ses-2",))
    assert changes_since(manifest(entry(2)), NEXT, [now], splits=SPLITS) == ReleaseChanges("1.2.1", since="1.2.0")


def test_what_changed_for_all_cases() -> None:
    before = manifest(entry(2), licence="CC0-1.0", protocol=None, labels=(LabelEntry(1, "GTV"),), roles=(), files=())
    found = changes_since(before, NEXT, [entry(2)], splits=SPLITS)
    assert found.texts == ("licence", "labels", "images", "protocol", "suggested folds")


def test_many_codes_are_counted_in_words_and_listed_in_the_document() -> None:
    now = [entry(number) for number in range(1, 31)]
    found = changes_since(manifest(), NEXT, now, splits=SPLITS)
    assert found.sentences[0].endswith(" and 10 more.")
    assert len(json.loads(change_document([found]))["versions"][0]["added"]) == 30


def test_the_log_is_kept_and_read_again(tmp_path: Path) -> None:
    named = replace(SETTINGS, publication=PUBLICATION)
    first = changes_since(None, named, [entry(2)], splits=SPLITS)
    changed = CaseChange("sub-1_ses-2", ("mask",), "why")
    second = ReleaseChanges("1.2.1", since="1.2.0", corrected=(changed,), withdrawn=(CaseChange("C1"),), added=("C2",))
    (tmp_path / CHANGES_DOCUMENT_NAME).write_bytes(change_document([second, first]))
    assert former_changes(tmp_path) == (second, first)
    assert change_log(former_changes(tmp_path)).decode().splitlines()[-2:] == ["1.2.0 2024-05-31", "  - First version."]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "maskloop-changes/1"}',
        b'{"schema": "maskloop-changes/1", "versions": [{}]}',
        b'{"schema": "maskloop-changes/1", "versions": [5]}',
        change_document([ReleaseChanges("1.0.0", added=("a\nb",))]),
        change_document([ReleaseChanges("1.0.0")]).replace(b'"since"', b'"until"'),
    ],
)
def test_a_log_that_is_none_is_no_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHANGES_DOCUMENT_NAME).write_bytes(content)
    assert former_changes(tmp_path) == ()
    assert former_changes(tmp_path / "nowhere") == former_changes(None) == ()


def test_manifests_that_cannot_be_believed_are_none(tmp_path: Path) -> None:
    assert former_manifest(None) is None
    assert former_manifest(tmp_path) is None
    (tmp_path / MANIFEST_NAME).write_bytes(manifest(entry(2)).encode().replace(b"CC-BY-4.0", b"CC-BY-3.0"))
    assert former_manifest(tmp_path) is None
    (tmp_path / MANIFEST_NAME).write_bytes(manifest(entry(2)).encode())
    read = former_manifest(tmp_path)
    assert read is not None
    assert changes_since(read, NEXT, [entry(2)], splits=SPLITS) == ReleaseChanges("1.2.1", since="1.2.0")


@pytest.mark.parametrize("schema", ["schema_1", "schema_2"])
def test_versions_of_former_schemas_are_compared_by_their_codes(schema: str) -> None:
    [folder] = [path for path in FORMER.rglob(f"{schema}/thigh-tumours-1.2.0") if path.is_dir()]
    earlier = former_manifest(folder)
    assert earlier is not None
    now = [entry(2, former_codes=(earlier.cases[0].case,)), entry(3)]
    found = changes_since(earlier, NEXT, now, splits=SPLITS)
    assert found.added == ("sub-1_ses-3",)
    assert found.left_out == tuple(sorted(case.case for case in earlier.cases[1:]))
    assert found.corrected == ()
