"""The manifest's digest names every byte and every source."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.files import canonical_json
from datasets.release.manifest import ProtocolEntry, file_entry
from datasets.release.manifest_reading import read_manifest, strict_json


def test_it_reads_back_to_the_same_bytes_and_digest(sound_release: Path) -> None:
    content = (sound_release / "manifest.json").read_bytes()
    manifest = read_manifest(content)
    assert manifest.encode() == content
    assert manifest.sums() == (sound_release / "SHA256SUMS").read_bytes()
    assert [case.case for case in manifest.cases] == [f"C000{number}" for number in range(1, 6)]


def test_the_digest_can_be_computed_without_maskloop(sound_release: Path) -> None:
    value = json.loads((sound_release / "manifest.json").read_bytes())
    digest = value.pop("release_digest")
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_every_file_has_its_digest_size_and_media_type(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    assert len(manifest.files) == 19
    for entry in manifest.files:
        assert entry == file_entry(entry.path, (sound_release / entry.path).read_bytes())
    assert {entry.media_type for entry in manifest.files} == {
        *("application/gzip", "application/json", "text/csv", "text/markdown", "text/plain")
    }


def test_every_case_has_its_sources_and_parameters(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    for case in manifest.cases:
        assert set(case.sources) == {"t1_series", "t1_file", "t2_file", "mask_file"}
        assert case.parameters == {"verdict": "approve", "stages": 2}


def test_the_digest_depends_on_every_field(sound_release: Path) -> None:
    manifest = read_manifest((sound_release / "manifest.json").read_bytes())
    case = replace(manifest.cases[0], sources={})
    others = [
        replace(manifest, name="x"),
        replace(manifest, version="9.9.9"),
        replace(manifest, licence="x"),
        replace(manifest, seed=8),
        replace(manifest, protocol=ProtocolEntry("mstt-199", 1, "6" * 64)),
        replace(manifest, labels=()),
        replace(manifest, roles=manifest.roles[::-1]),
        replace(manifest, withdrawn=("C0009",)),
        replace(manifest, files=manifest.files[1:]),
        replace(manifest, cases=(case, *manifest.cases[1:])),
    ]
    assert len({each.release_digest for each in (manifest, *others)}) == len(others) + 1


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b"1e999", b'{"a":1,"a":1}', b"\xff", b"[", b"[" * 10**6])
def test_json_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedInput, match="json-unsound"):
        strict_json(content)


def test_json_is_read() -> None:
    value = {"a": [1, 2.5, None, True, "ä"]}
    assert strict_json(canonical_json(value)) == value
