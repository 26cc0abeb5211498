"""Prepared cases: shared by digest, whole or made anew, gone with the patient, bounded in size and age."""

import os
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from datasets.image.volume import Volume
from tests.training.support.ball_examples import ball_example
from training.fitting import slice_sampler, volumes
from training.fitting.choice import TrainingChoice
from training.fitting.prepared_examples import inputs_of, prepared_arrays
from training.fitting.running.prepared import PreparedCases, digest_of
from training.fitting.running.running import Running
from training.fitting.running.settings import LoopSettings
from training.fitting.slices import SliceSettings
from training.fitting.volumes import VolumeSettings, fit_volumes
from training.table.table import method_called

RULE = {"spacing": [1.0, 1.0, 3.0]}


def made(value: float = 1.0):  # type: ignore[no-untyped-def]
    calls: list[float] = []

    def make() -> dict[str, np.ndarray]:
        calls.append(value)
        return {"images": np.full((2, 3), value, np.float16), "target": np.arange(3)}

    return make, calls


def test_what_is_kept_is_not_made_again(tmp_path: Path) -> None:
    cases = PreparedCases(tmp_path / "prepared")
    make, calls = made()
    for kept in (cases, PreparedCases(tmp_path / "prepared")):
        found = kept.arrays("Doe^Jane", "a" * 64, make)
        assert isinstance(found["images"], np.memmap)
        assert found["images"].dtype == np.float16
        np.testing.assert_array_equal(found["images"], 1.0)
        np.testing.assert_array_equal(found["target"], [0, 1, 2])
    assert len(calls) == 1
    assert "Doe" not in " ".join(map(str, tmp_path.rglob("*")))


@pytest.mark.parametrize("damage", ["flipped", "shorter", "gone", "list"])
def test_what_is_damaged_is_made_again(damage: str, tmp_path: Path) -> None:
    cases = PreparedCases(tmp_path)
    make, calls = made()
    cases.arrays("p", "d", make)
    [images] = tmp_path.glob("*/d/images.npy")
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    {
        "flipped": lambda: images.write_bytes(content),
        "shorter": lambda: images.write_bytes(content[:-2]),
        "gone": images.unlink,
        "list": lambda: images.with_name("case.json").write_text("{"),
    }[damage]()
    for _ in range(2):
        np.testing.assert_array_equal(cases.arrays("p", "d", make)["images"], 1.0)
    assert len(calls) == 2


def test_a_place_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "prepared").write_text("a file, where the folder should be")
    make, _ = made(3.0)
    np.testing.assert_array_equal(PreparedCases(tmp_path / "prepared").arrays("p", "d", make)["images"], 3.0)


def test_a_patient_is_forgotten(tmp_path: Path) -> None:
    cases, (make, calls) = PreparedCases(tmp_path), made()
    for patient, digest in (("p", "d"), ("p", "e"), ("q", "d")):
        cases.arrays(patient, digest, make)
    cases.forget("p")
    assert len(list(tmp_path.glob("*/*/"))) == 1
    cases.arrays("q", "d", make)
    assert len(calls) == 3
    cases.forget("nobody")


def test_the_oldest_go_first(tmp_path: Path) -> None:
    cases, (make, _) = PreparedCases(tmp_path), made()
    now = time.time()
    for age, digest in enumerate(("new", "middle", "old")):
        cases.arrays("p", digest, make)
        [place] = tmp_path.glob(f"*/{digest}")
        os.utime(place, (now - age * 86_400, now - age * 86_400))
    size = sum(path.stat().st_size for path in tmp_path.glob("*/new/*"))
    left = lambda: sorted(place.name for place in tmp_path.glob("*/*/"))  # noqa: E731
    assert cases.tidy() == 0
    assert replace(cases, most_bytes=2 * size).tidy() == 1
    assert left() == ["middle", "new"]
    assert replace(cases, most_days=0.5).tidy() == 1
    assert left() == ["new"]
    cases.arrays("p", "new", make)
    assert replace(cases, most_days=1e-3).tidy() == 0, "it was used just now"


def test_the_digest_is_of_images_mask_and_rule(tmp_path: Path) -> None:
    cases, example = PreparedCases(tmp_path), ball_example(0, ("t1", "t2"))
    make, calls = made()

    def prepare(one=example, channels=("t1",), rule=RULE) -> None:  # type: ignore[no-untyped-def]
        prepared_arrays(one, channels, rule, prepared=cases, make=make)

    prepare()
    prepare(replace(example, case="other"))
    assert len(calls) == 1, "the same images and mask under another name"
    image, mask = example.volumes["t1"], example.mask.data.copy()
    brighter = Volume(image.data + 1, image.grid)
    mask[0, 0, 0] ^= 1
    prepare(replace(example, volumes={**example.volumes, "t1": brighter}))
    prepare(replace(example, mask=replace(example.mask, data=mask)))
    prepare(channels=("t1", "t2"))
    prepare(rule={"spacing": [1.0, 1.0, 4.0]})
    assert len(calls) == 5
    array = np.zeros((2, 3))
    assert digest_of({"a": array}, {}) != digest_of({"a": array.reshape(3, 2)}, {})


@pytest.mark.slow
def test_a_fit_from_prepared_cases_is_the_same_fit(tmp_path: Path) -> None:
    settings = VolumeSettings(LoopSettings(iterations=2), widths=(4, 8, 8), budget=1500, supervised=1)
    examples = [ball_example(number, shape=(18, 16, 9)) for number in range(2)]
    running = Running(prepared=PreparedCases(tmp_path))
    losses = [fit_volumes(examples, settings, running=each)[2] for each in (Running(), running, running)]
    assert losses[0] == losses[1] == losses[2]
    assert len(list(tmp_path.glob("*/*/"))) == 2


def test_the_digest_of_inputs_is_that_of_their_voxels() -> None:
    examples = [ball_example(number, ("t1", "t2")) for number in range(2)]
    known = inputs_of(examples, ("t1",))
    assert inputs_of(examples[::-1], ("t1",)) == known
    image = examples[0].volumes["t1"]
    voxels = image.data.copy()
    voxels[0, 0, 0] += 1
    other = replace(examples[0], volumes=examples[0].volumes | {"t1": Volume(voxels, image.grid)})
    assert inputs_of([other, examples[1]], ("t1",)) != known
    assert inputs_of([other, examples[1]], ("t2",)) == inputs_of(examples, ("t2",))


@pytest.mark.parametrize("module", [slice_sampler, volumes])
def test_what_an_earlier_version_prepared_otherwise_is_made_anew(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, example = PreparedCases(tmp_path), ball_example(0, shape=(18, 16, 9))

    def prepare() -> int:
        if module is volumes:
            tiles = VolumeSettings(LoopSettings(iterations=1), widths=(4, 8, 8), budget=1500, supervised=1)
            volumes.TileSampler([example], volumes.plan_volumes([example], tiles), tiles, prepared=cases)
        else:
            slices = SliceSettings.of_choice(TrainingChoice(method_called("unet-25d")))
            slice_sampler.PictureSampler([example], ("t1",), slices.plan, shown=slices.shown, prepared=cases)
        return len(list(tmp_path.glob("*/*/")))

    assert (prepare(), prepare()) == (1, 1)
    monkeypatch.setattr(module, "MADE", module.MADE + 1)
    assert prepare() == 2
