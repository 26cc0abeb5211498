"""The patient of each image, with generated names: no two people become one patient, no file is lost silently."""

import re
import tempfile
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from curation.names.name_words import words
from curation.pairing.pairing import pair_series
from curation.scanning.found_series import FolderScan
from curation.scanning.scan import scan_folder
from datasets.finding import Finding
from tests.curation.support.protocols import MSTT
from tests.curation.support.small_volumes import put_image, put_mask

SILENT = (
    "Post",
    "Raw",
    "SE",
    "W",
    "Wi",
    "FS",
    "Final",
    "study",
    "Cor",
    "AX",
    "gd",
    "CE",
    "T1meier",
    "T2schulz",
    "Segal",
)
SCRIPTS = (
    "山田鈴木田中佐藤",
    "ИвановПетрё",
    "محمدعليفاطمة",
    "अमितारीं",
    "e\u0301o\u0308n\u0303au",
    "éöñçßı",
    "😀🐘👩\u200d⚕\ufe0f❤",
    "Αβγδέ",
    "abcXYZ019",
)
MASK_NAMES = ("mask", "T2_seg", "reader1", "Segmentation_2", "tumorMask", "Untitled", "lesion", "T1_lesion")


@dataclass(frozen=True)
class Written:
    """A file and the person that it is of."""

    path: str
    person: str
    is_mask: bool = False


def _script_name(script: str) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(script), min_size=1, max_size=6)


def _is_name(name: str) -> bool:
    return name.strip() == name and not name.startswith(".") and bool(words(name)) and len(name.encode()) < 60


def _distinct(names: list[str]) -> bool:
    return len({"_".join(words(name)) for name in names}) == len(names)


ANY_NAME = st.one_of(*(_script_name(script) for script in SCRIPTS), st.sampled_from(SILENT)).filter(_is_name)
NAMES = st.lists(ANY_NAME, min_size=1, max_size=4).filter(_distinct)
WAYS = (
    "{}", "{} 1", "{}_1", "{}-1", "{}+", "#{}", "{} (1)", "A {}", "a_{}",
)  # fmt: skip
SPELLINGS = (str, str.upper, str.lower, partial(unicodedata.normalize, "NFD"), partial(unicodedata.normalize, "NFKC"))
ALIKE = st.tuples(
    st.sampled_from(["Meier", "Jos\u00e9", "P7", "山田１", "İpek", "Иванов", "A 1", "7"]),
    st.sets(st.tuples(st.sampled_from(WAYS), st.sampled_from(SPELLINGS)), min_size=2, max_size=4),
).map(lambda drawn: sorted({spell(way.format(drawn[0])) for way, spell in drawn[1]}))
"""Names that differ in capitals, signs or how their letters are made: as far as anybody knows, different people."""

QUICKLY = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # shrinking writes folders for minutes
}
PARTS = st.sets(st.sampled_from(["T1", "T2_fs"]), min_size=1)
LAYOUTS = ("folders", "nested", "roles", "flat", "split", "sessions")


@st.composite
def cohorts(draw: st.DrawFn) -> list[Written]:
    """Files of several people, in one or two sites that each follow one custom."""
    sites = draw(st.sampled_from([("",), ("north/", "south/"), ("sitio é/",)]))
    return [file for site in sites for file in draw(_site(site))]


@st.composite
def _site(draw: st.DrawFn, site: str) -> list[Written]:
    layout = draw(st.sampled_from(LAYOUTS))
    return [
        file
        for name in draw(NAMES | ALIKE)
        for file in _files(site, name, layout, draw(PARTS), draw(st.sets(st.sampled_from(MASK_NAMES), max_size=2)))
    ]


def _files(site: str, name: str, layout: str, parts: set[str], masks: set[str]) -> list[Written]:
    image, mask = {
        "folders": ("{name}/{part}", "{name}/{mask}"),
        "nested": ("{name}/scans/{part}", "{name}/labels/{mask}"),
        "roles": ("{name}/{part}/image", "{name}/{mask}"),
        "flat": ("{name}_{part}", "{name}_{mask}"),
        "split": ("images/{name}_{part}", "labels/{name}_{mask}"),
        "sessions": ("{name}/visit1/{part}", "{name}/visit1/{mask}"),
    }[layout]
    person = f"{site}{name}"
    images = [Written(site + image.format(name=name, part=part) + ".nii", person) for part in sorted(parts)]
    return images + [
        Written(site + mask.format(name=name, mask=each) + ".nii", person, is_mask=True) for each in sorted(masks)
    ]


def _scan_of(files: list[Written], folder: Path) -> tuple[FolderScan, dict[int, Written]]:
    for seed, file in enumerate(files):
        if file.is_mask:
            put_mask(folder / file.path, 1)
        else:
            put_image(folder / file.path, seed)
    paths = sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda p: p.relative_to(folder).as_posix()
    )
    by_path = {folder / file.path: file for file in files}
    return scan_folder(folder, protocol=MSTT), {number: by_path[path] for number, path in enumerate(paths, start=1)}


def _named(findings: tuple[Finding, ...]) -> set[int]:
    """Numbers of the files that findings are about."""
    return {int(number) for finding in findings for number in re.findall(r"file (\d+)", finding.subject)}


@pytest.mark.slow
@settings(max_examples=150, **QUICKLY)
@given(cohorts())
def test_no_two_people_are_one_patient_and_no_file_is_lost(files: list[Written]) -> None:
    with tempfile.TemporaryDirectory() as home:
        scan, numbered = _scan_of(files, Path(home))
        by_path = {Path(home) / file.path: file for file in files}
        people: dict[str, set[str]] = defaultdict(set)
        for found in scan.series:
            people[found.patient_key].add(by_path[found.files[0]].person)
        assert all(len(persons) == 1 for persons in people.values()), people
        for mask in scan.masks:
            assert people[mask.patient_key] == {by_path[mask.path].person}
        taken = {path for found in scan.series for path in found.files} | {mask.path for mask in scan.masks}
        told = _named(scan.findings)
        lost = [
            number for number, file in numbered.items() if Path(home) / file.path not in taken and number not in told
        ]
        assert not lost
        assert len([path for found in scan.series for path in found.files]) == len({f.files[0] for f in scan.series})
        for pair in pair_series(scan, protocol=MSTT).pairs:
            assert len({by_path[choice.series.files[0]].person for choice in pair.choices}) == 1


@pytest.mark.slow
@settings(max_examples=60, **QUICKLY)
@given(NAMES, st.booleans())
def test_telling_names_make_a_case_each_with_their_masks(names: list[str], is_flat: bool) -> None:
    """The rules must not ask always: who is named plainly, in whatever script, gets a case."""
    names = [name for name in names if name not in SILENT] or ["Zoë"]
    layout = "flat" if is_flat else "folders"
    files = [file for name in names for file in _files("", name, layout, {"T1", "T2_fs"}, {"T2_seg"})]
    with tempfile.TemporaryDirectory() as home:
        scan, _ = _scan_of(files, Path(home))
        pairing = pair_series(scan, protocol=MSTT)
        assert scan.findings == ()
        assert len(pairing.pairs) == len(names)
        assert all(len(pair.masks) == 1 for pair in pairing.pairs)


LABELS = st.text(st.sampled_from("abz019"), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=60, **QUICKLY)
@given(
    st.lists(LABELS, min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["", "post", "01"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(["derivatives/manual/", "derivatives/", ""]),
    st.sampled_from(["_space-T2w_label-tumour_mask", "_T2w_lesion-manual", "_desc-reader1_mask", "_label-lesion_dseg"]),
)
def test_subjects_of_bids_are_patients_and_own_the_masks_of_their_sessions(
    subjects: list[str], sessions: list[str], derivatives: str, mask: str
) -> None:
    files = []
    for subject in subjects:
        for session in sessions:
            folders = f"sub-{subject}/" + (f"ses-{session}/" if session else "") + "anat/"
            start = f"sub-{subject}" + (f"_ses-{session}" if session else "")
            person = f"{subject} {session}"
            files += [Written(f"{folders}{start}_{part}.nii", person) for part in ("T1w", "acq-fatsat_run-1_T2w")]
            files.append(Written(f"{derivatives}{folders}{start}{mask}.nii", person, is_mask=True))
    with tempfile.TemporaryDirectory() as home:
        scan, _ = _scan_of(files, Path(home))
        pairing = pair_series(scan, protocol=MSTT)
        assert scan.findings == ()
        assert len(scan.patient_keys) == len(subjects)
        by_path = {Path(home) / file.path: file.person for file in files}
        if len(sessions) == 1:
            assert len(pairing.pairs) == len(subjects)
            for pair in pairing.pairs:
                drawn = {by_path[each.path] for _, each in pair.masks}
                assert drawn == {by_path[choice.series.files[0]] for choice in pair.choices}
        else:
            assert {finding.code for finding in pairing.findings} == {"several-studies"}
