"""All texts of a release together: what is written, when, and always the same."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from datasets.files import sha256_of_bytes
from datasets.formats.nifti import read_mask, write_mask
from datasets.image.mask import Mask
from datasets.release.build import build_release
from datasets.release.publication import Publication
from datasets.release.settings import by_protocol
from datasets.release.verify import verify_release
from datasets.study.shipped_protocols import shipped_protocol
from tests.datasets.release.describing.samples import HOSTILE, PUBLICATION, TEXTS, Page
from tests.datasets.release.samples import CODES, SETTINGS, files_of, write_case, write_cases

ROOT = Path(__file__).parents[4]


def texts_of(folder: Path) -> dict[str, bytes]:
    lists = {"manifest.json", "SHA256SUMS"}
    return {
        path: content for path, content in files_of(folder).items() if not path.startswith("sub-") and path not in lists
    }


def test_what_is_written_with_and_without_a_publisher_s_words(sound_release: Path, tmp_path: Path) -> None:
    assert set(texts_of(sound_release)) == TEXTS
    settings = by_protocol(replace(SETTINGS, publication=PUBLICATION), shipped_protocol("mstt-199"))
    said = build_release(write_cases(tmp_path), settings, tmp_path / "out").folder
    assert set(texts_of(said)) == TEXTS | {"datacite.json", "CITATION.cff", "protocol.json", "dseg.tsv"}
    assert verify_release(said).is_sound


def test_the_protocol_s_document_has_the_digest_that_the_manifest_names(tmp_path: Path) -> None:
    settings = by_protocol(SETTINGS, shipped_protocol("mstt-199"))
    folder = build_release([write_case(tmp_path, 1)], settings, tmp_path / "out").folder
    named = json.loads((folder / "manifest.json").read_bytes())["protocol"]
    assert sha256_of_bytes((folder / "protocol.json").read_bytes()) == named["digest"]


_BUILD = """
import sys
from pathlib import Path
from dataclasses import replace
from datasets.release.build import build_release
from tests.datasets.release.describing.samples import PUBLICATION
from tests.datasets.release.samples import SETTINGS, write_cases
folder = Path(sys.argv[1])
print(build_release(write_cases(folder), replace(SETTINGS, publication=PUBLICATION), folder / "out").digest)
"""


@pytest.mark.slow
def test_the_same_in_another_place_time_zone_locale_and_order_of_sets(tmp_path: Path) -> None:
    found = set()
    for seed, zone, language in (("1", "Pacific/Auckland", "C"), ("2", "America/St_Johns", "tr_TR.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language, "LANG": language}
        command = [sys.executable, "-c", _BUILD, str(tmp_path / seed)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_whatever_people_write_stays_text_in_every_file(tmp_path: Path) -> None:
    """Texts in all places at once; each file is still of its format, and shows them as they are."""
    one_line = " ".join(HOSTILE)[:990]
    settings = replace(
        SETTINGS,
        description="\n\n".join(HOSTILE),
        masks_made_by=one_line,
        known_limits=HOSTILE,
        citations=HOSTILE,
        labels={1: HOSTILE[0], 2: HOSTILE[1]},
        roles=tuple(replace(role, title=HOSTILE[at]) for at, role in enumerate(SETTINGS.roles)),
        reasons={CODES[0]: one_line},
        withdrawn=("C9",),
        publication=Publication(
            title=one_line, publisher=HOSTILE[0], published="2024", keywords=HOSTILE, funding=HOSTILE
        ),
    )
    folder = build_release([write_case(tmp_path, 1)], settings, tmp_path / "out").folder
    assert verify_release(folder).is_sound
    page = Page((folder / "README.html").read_text())
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(text in page.text for text in HOSTILE)
    for path in ("figures/volumes.svg", "figures/grey-values-mr.svg"):
        tags = {
            element.tag.rpartition("}")[2] for element in ElementTree.fromstring((folder / path).read_bytes()).iter()
        }
        assert tags <= {"svg", "style", "path", "text", "circle", "title"}
    for path in folder.glob("*.json"):
        json.loads(path.read_bytes())
    assert "<script" not in (folder / "README.md").read_text()


def test_a_later_version_tells_what_changed_and_keeps_the_former_log(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "src")
    out = tmp_path / "out"
    former = build_release(cases, SETTINGS, out).folder
    mask = read_mask(cases[0].mask)
    data = mask.data.copy()
    data[0, 0, 0] = 1
    write_mask(cases[0].mask, Mask(data, mask.grid))
    changed = [replace(cases[0], sources={}), *cases[1:4]]
    settings = replace(
        SETTINGS,
        version="1.2.1",
        follows="1.2.0",
        withdrawn=(CODES[4],),
        reasons={CODES[0]: "a voxel was missing", CODES[4]: "consent was withdrawn"},
    )
    folder = build_release(changed, settings, out, earlier=former, former=former).folder
    wanted = (
        "1.2.1\n"
        f"  - Withdrawn: {CODES[4]}: consent was withdrawn.\n"
        f"  - Corrected: {CODES[0]} (mask): a voxel was missing.\n"
        "  - Changed for all cases: suggested folds.\n"
        "1.2.0\n"
        "  - First version.\n"
    )
    assert (folder / "CHANGES").read_text() == wanted
    text = unescape((folder / "README.html").read_text())
    assert f"1.2.1: Corrected: {CODES[0]} (mask): a voxel was missing." in text
    assert verify_release(folder).is_sound
    assert (former / "CHANGES").read_text() == "1.2.0\n  - First version.\n"


def test_cases_that_were_taken_over_are_described_like_new_ones(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "src")
    former = build_release(cases, SETTINGS, tmp_path / "out").folder
    again = replace(SETTINGS, version="1.3.0")
    taken = build_release(cases, again, tmp_path / "taken", earlier=former)
    written = build_release(cases, again, tmp_path / "written")
    assert taken.taken_over == 5
    assert texts_of(taken.folder) == texts_of(written.folder)
