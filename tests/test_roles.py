"""No code names a role: what images a case has is said by the protocol of its study."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("annotation_backend", "curation", "datasets", "training")
ELSEWHERE = (
    "datasets/phantom/",
    "datasets/study/protocols/",
    "datasets/study/image_kind.py",
    "datasets/public/",
    "curation/scanning/source_labels.py",
    "/migrations/",
    "/vendor/",
)
"""Phantoms, protocols, the kinds of images that models know, what publishers call theirs, what was stored before
there were protocols, and libraries as they came."""

ROLE = re.compile(r"[\"']t[12][\"']|\.t[12]\b")


def test_no_role_is_named_outside_protocols_phantoms_and_kinds_of_images() -> None:
    files = [
        path for floor in FLOORS for ending in ("py", "html", "js") for path in (ROOT / floor).rglob(f"*.{ending}")
    ]
    named = {path.relative_to(ROOT).as_posix(): ROLE.findall(path.read_text(encoding="utf-8")) for path in files}
    assert len(named) > 600
    assert {name for name, found in named.items() if found and not any(one in name for one in ELSEWHERE)} == set()
