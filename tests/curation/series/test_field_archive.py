"""For each protocol that comes along the right series are chosen among what hospitals send, and doubts are asked about.

The archives were written before the rules were tried on them. The rules were looked at on seeds 0, 1 and 22; the seed
here was held out.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from curation.pairing.pairing import Pairing, PatientImages, pair_series
from curation.scanning.scan import scan_folder
from datasets.finding import Level
from datasets.study.shipped_protocols import shipped_protocol
from tests.curation.support.field_archive import FieldStudy, draw_ct_studies, draw_pet_studies
from tests.curation.support.vendor_archive import Study, draw_studies
from tests.curation.support.vendor_dialects import Acquisition
from tests.curation.support.vendor_files import write_studies

pytestmark = pytest.mark.slow

HELD_OUT_SEED = 20


def outcome(folder: Path, studies: list[Study], protocol: str, seed: int) -> Pairing:
    """What is made of an archive for a protocol."""
    if not folder.exists():
        write_studies(folder, studies, seed)
    wanted = shipped_protocol(protocol)
    return pair_series(scan_folder(folder, protocol=wanted), protocol=wanted)


def judged(
    studies: Iterable[Study], pairing: Pairing, right: Callable[[Study], Mapping[str, Acquisition]]
) -> tuple[list[str], list[str], list[str]]:
    """Scenarios of which the images are right, wrong, and missed."""
    made = {images.patient_key: images for images in pairing.pairs}
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    for study in studies:
        truth, images = right(study), made.get(study.patient_id)
        if images is not None:
            is_right = bool(truth) and all(_is(study, truth[role], images, role) for role in truth)
            found[0 if is_right else 1].append(f"{study.vendor.name}: {study.scenario}")
        elif truth:
            found[2].append(f"{study.vendor.name}: {study.scenario}")
    return found


def right_t1(study: Study) -> dict[str, Acquisition]:
    """The right T1 of a study of the vendors' archive where nothing else is wanted; {} where there is none, or two."""
    if study.t1 is not None and study.scenario != "two visits, one complete":
        return {"t1": study.t1}
    plain = [one for one in study.acquisitions if one.kind == "t1" and one.plane == "tra"]
    sound = [one for one in plain if "BurnedInAnnotation" not in one.fields]
    return {"t1": sound[0]} if len(plain) == 1 and sound else {}


def right_series(study: Study) -> Mapping[str, Acquisition]:
    """The right series of a study of the field's archive."""
    assert isinstance(study, FieldStudy)
    return study.right


def _is(study: Study, truth: Acquisition, images: PatientImages, role: str) -> bool:
    series = images.chosen[role].series.dicom
    return series is not None and series.series_uid == study.series_uid(truth)


@pytest.mark.parametrize(
    ("protocol", "draw", "right"),
    [("ct", draw_ct_studies, right_series), ("pet-ct", draw_pet_studies, right_series), ("t1", draw_studies, right_t1)],
)
def test_precision_and_recall(
    tmp_path: Path,
    tell_figure: Callable[[str], None],
    protocol: str,
    draw: Callable[..., list[Study]],
    right: Callable[[Study], Mapping[str, Acquisition]],
) -> None:
    studies = draw(HELD_OUT_SEED, of_vendor=4)
    pairing = outcome(tmp_path / protocol, studies, protocol, HELD_OUT_SEED)
    good, wrong, missed = judged(studies, pairing, right)
    sure = [study for study in studies if right(study)]
    tell_figure(
        f"archive for {protocol} (seed {HELD_OUT_SEED}): {len(studies)} studies; {len(good)} right, "
        f"{len(wrong)} wrong, {len(missed)} missed of {len(sure)}; {len(studies) - len(sure)} to ask about"
    )
    assert wrong == []
    assert len(good) >= 0.95 * len(sure), missed
    for study in studies:
        if not right(study):
            findings = pairing.summary_of(study.patient_id).findings
            assert [finding for finding in findings if finding.level is Level.ERROR], study.scenario


_SUITED = {
    "t1": {"t1"},
    "t1_contrast": {"t1_gd", "t1_fs_gd"},
    "t2": {"t2"},
    "t2_fs": {"t2_fs", "stir", "t2_dixon"},
}


def test_optional_images_are_what_they_are_said_to_be(tmp_path: Path, tell_figure: Callable[[str], None]) -> None:
    studies = draw_studies(HELD_OUT_SEED, of_vendor=4)
    pairing = outcome(tmp_path / "lipoma", studies, "lipoma", HELD_OUT_SEED)
    good, wrong, missed = judged(studies, pairing, right_t1)
    kinds = {study.patient_id: {study.series_uid(one): one for one in study.acquisitions} for study in studies}
    counts = dict.fromkeys(_SUITED, 0)
    for images in pairing.pairs:
        for role, choice in images.chosen.items():
            assert choice.series.dicom is not None
            truth = kinds[images.patient_key][choice.series.dicom.series_uid]
            assert truth.kind in _SUITED[role], (role, truth.kind)
            assert truth.plane == "tra"
            counts[role] += 1
        references = [choice.series.reference for choice in images.choices]
        assert len(set(references)) == len(references)
    said = ", ".join(f"{count} {role}" for role, count in counts.items())
    tell_figure(f"archive for lipoma: {len(good)} right, {len(wrong)} wrong, {len(missed)} missed; {said}")
    assert wrong == []
    assert len(good) >= 0.95 * (len(good) + len(missed))
    assert all(counts.values())
