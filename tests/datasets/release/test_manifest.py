"""The manifest's digest names every byte and every source."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.release.manifest_parts import ProtocolEntry, file_entry
from datasets.release.manifest_reading import read_manifest, strict_json
from tests.datasets.release.samples import CODES, files_of


def test_it_reads_back_to_the_same_bytes_and_digest(sound_release: Path) -> None:
    content = (sound_release / "manifest.json").read_bytes()
    manifest = read_manifest(content)
    assert manifest.encode() == content
    assert manifest.sums() == (sound_release / "SHA256SUMS").read_bytes()
    assert [case.case for case in manifest.cases] == list(CODES)


def test_the_digest_can_be_computed_without_maskloop(sound_release: Path) -> None:
    value = json.loads((sound_release / "manifest.json").read_bytes())
    digest = value.pop("release_digest")
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_every_file_has_its_digest_size_and_media_type(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    assert {entry.path for entry in manifest.files} == {*files_of(sound_release)} - {"manifest.json", "SHA256SUMS"}
    for entry in manifest.files:
        assert entry == file_entry(entry.path, (sound_release / entry.path).read_bytes())
    assert {entry.media_type for entry in manifest.files} == {
        *("application/gzip", "application/json", "image/svg+xml", "text/csv", "text/html", "text/markdown"),
        *("text/plain", "text/tab-separated-values", "text/x-python"),
    }


def test_every_case_has_the_digest_of_its_voxels(sound_release: Path) -> None:
    """Of the inflated file behind its header, so that it stays the same however the file is compressed."""
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    for case in manifest.cases:
        for name, path in {**case.image_paths, "mask": case.mask_path}.items():
            content = gzip.decompress((sound_release / path).read_bytes())
            assert case.voxels[name] == hashlib.sha256(content[352:]).hexdigest()
            image = nib.load(sound_release / path)
            assert content[352:] == np.asarray(image.dataobj).tobytes(order="F")


def test_the_digest_depends_on_every_field(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    case = replace(manifest.cases[0], voxels={})
    others = [
        replace(manifest, name="x"),
        replace(manifest, version="9.9.9"),
        replace(manifest, licence="x"),
        replace(manifest, follows="1.1.0"),
        replace(manifest, software={}),
        replace(manifest, protocol=ProtocolEntry("mstt-199", 1, "6" * 64)),
        replace(manifest, labels=()),
        replace(manifest, roles=manifest.roles[::-1]),
        replace(manifest, withdrawn=("sub-0009_ses-1",)),
        replace(manifest, files=manifest.files[1:]),
        replace(manifest, cases=(case, *manifest.cases[1:])),
    ]
    assert len({each.release_digest for each in (manifest, *others)}) == len(others) + 1


ODD_WORDS = [
    *(("name", 1), ("version", None), ("licence", []), ("follows", {}), ("withdrawn", [1])),
    *((f"cases/{name}", 0) for name in ("case", "patient", "tissue_type", "anatomical_site", "mask_empty")),
]


@pytest.mark.parametrize(("place", "word"), ODD_WORDS)
def test_a_word_of_another_kind_is_refused_whoever_reads_it(sound_release: Path, place: str, word: object) -> None:
    value = json.loads((sound_release / "manifest.json").read_bytes())
    where, name = (value["cases"][0], place.partition("/")[2]) if "/" in place else (value, place)
    where[name] = word
    with pytest.raises(RejectedInput, match="manifest-shape"):
        read_manifest(canonical_json(value))


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b"1e999", b'{"a":1,"a":1}', b"\xff", b"[", b"[" * 10**6])
def test_json_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput, match="json-unsound"):
        strict_json(content)


def test_json_is_read() -> None:
    value = {"a": [1, 2.5, None, True, "ä"]}
    assert strict_json(canonical_json(value)) == value
