"""Croissant: mlcroissant finds no fault, and gives a record of every record set, offline, at once."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.files import sha256_of_file
from datasets.release.build import build_release
from datasets.release.settings import by_protocol
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.release.describing.samples import HOSTILE, PUBLICATION
from tests.datasets.release.samples import CODES, SETTINGS, write_cases


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    settings = by_protocol(replace(SETTINGS, publication=PUBLICATION), shipped_protocol("mstt-199"))
    return build_release(write_cases(folder), settings, folder / "out").folder


def test_every_file_beside_the_cases_is_listed_with_its_digest(described: Path) -> None:
    document = json.loads((described / "croissant.json").read_bytes())
    objects = [each for each in document["distribution"] if each["@type"] == "cr:FileObject"]
    assert {each["contentUrl"]: each["sha256"] for each in objects} == {
        path.relative_to(described).as_posix(): sha256_of_file(path)
        for path in described.rglob("*")
        if path.is_file()
        and not path.relative_to(described).parts[0].startswith("sub-")
        and path.name not in ("croissant.json", "manifest.json", "SHA256SUMS")
    }
    assert all(
        (described / each["contentUrl"]).stat().st_size == int(each["contentSize"].split()[0]) for each in objects
    )


def test_file_sets_name_every_image_mask_and_record(described: Path) -> None:
    document = json.loads((described / "croissant.json").read_bytes())
    patterns = [each["includes"] for each in document["distribution"] if each["@type"] == "cr:FileSet"]
    found = {path for pattern in patterns for path in described.glob(pattern)}
    assert found == {path for path in described.glob("sub-*/**/*") if path.is_file()}


def test_what_the_publisher_said_and_what_nobody_said(described: Path, sound_release: Path) -> None:
    said = json.loads((described / "croissant.json").read_bytes())
    assert said["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert (said["datePublished"], said["version"], said["url"]) == ("2024-05-31", "1.2.0", "https://example.org/thigh")
    assert [each["@type"] for each in said["creator"]] == ["sc:Organization", "sc:Person"]
    assert any("Drawing: all slices are drawn" in line for line in said["rai:dataAnnotationProtocol"])
    assert said["rai:dataLimitations"] == ["Nobody has these tumours."]
    unsaid = json.loads((sound_release / "croissant.json").read_bytes())
    assert not {"creator", "publisher", "datePublished", "url", "keywords", "identifier"} & set(unsaid)


def _records(folder: Path, record_set: str) -> list[dict]:
    import mlcroissant

    return list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records(record_set))


@pytest.mark.slow
def test_mlcroissant_gives_every_record(described: Path) -> None:
    cases = _records(described, "cases")
    assert [record["cases/case"].decode() for record in cases] == list(CODES)
    assert {type(record["cases/fold"]) for record in cases} == {int}
    assert cases[0]["cases/volume_1_ml"] == cases[0]["cases/volume_ml"] > 0
    images = _records(described, "images")
    assert len(images) == 15
    for record in images:
        file = described / record["images/path"].decode()
        assert sha256_of_file(file) == record["images/sha256"].decode()
        assert file.stat().st_size == record["images/bytes"]
    assert [(each["labels/value"], each["labels/name"]) for each in _records(described, "labels")] == [
        (1, "Tumour"),
        (2, "Oedema"),
    ]
    assert [each["splits/fold"] for each in _records(described, "splits")] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("is_said", [True, False], ids=["said", "unsaid"])
def test_mlcroissant_finds_no_fault(
    described: Path, sound_release: Path, caplog: pytest.LogCaptureFixture, is_said: bool
) -> None:
    import mlcroissant

    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=str((described if is_said else sound_release) / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    assert not (is_said and issues.warnings), issues.report()
    assert "not standard" not in caplog.text


@pytest.mark.slow
def test_labels_that_want_to_be_json_are_names(tmp_path: Path) -> None:
    settings = replace(SETTINGS, labels={1: HOSTILE[0], 2: HOSTILE[2]}, description="\n\n".join(HOSTILE))
    folder = build_release(write_cases(tmp_path), settings, tmp_path / "out").folder
    assert [record["labels/name"] for record in _records(folder, "labels")] == [HOSTILE[0], HOSTILE[2]]
    assert len(_records(folder, "cases")) == 5


def test_nothing_is_fetched(described: Path) -> None:
    """Every file that a record set reads lies in the folder, and the context is written out."""
    document = json.loads((described / "croissant.json").read_bytes())
    assert isinstance(document["@context"], dict)
    addresses = [each.get("contentUrl", "") for each in document["distribution"]]
    assert not any("://" in address for address in addresses)
    assert not any(address.startswith("/") or ".." in address for address in addresses)
