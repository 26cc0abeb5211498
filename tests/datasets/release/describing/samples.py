"""Cases as the texts of a release know them, texts that want to be more than text, and a publisher who says all."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from datasets.release.describing.case_facts import CaseFacts
from datasets.release.manifest import CaseEntry
from datasets.release.publication import Creator, Publication

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![picture](https://evil.example/x.png)",
    "<https://evil.example> and &lt;b&gt; and &#60;",
    "*bold* _italic_ __bold__ ~~gone~~ `code` ``more``",
    "| a | b |",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "> quoted",
    "---",
    "===",
    "a\\*b\\",
    "$x^2$ {{ name }} {: .class }",
    "=HYPERLINK(1)",
    "[x]: https://evil.example",
    "***",
    "snake_case_name and _edge_",
    "https://example.org/a_b*c",
    "'); DROP TABLE cases; --",
)
"""One line each; every format must show them as they are."""

TEXTS = {
    "verify.py",
    *("README.md", "README.html", "LICENSE", "CHANGES", "changes.json", "cases.csv", "images.csv", "splits.json"),
    *(
        "monai.json",
        "croissant.json",
        "convert.py",
        "participants.tsv",
        "participants.json",
        "dataset_description.json",
    ),
    *(".bidsignore", "figures/volumes.svg", "figures/grey-values-mr.svg"),
}
"""Files beside the cases' of a release of which nobody said anything."""

PUBLICATION = Publication(
    title="Soft-tissue tumours of the thigh",
    creators=(Creator("University Hospital"), Creator("Doe, Jane", False, "University", "0000-0002-1825-0097")),
    publisher="University Hospital",
    published="2024-05-31",
    contact="data@example.org",
    doi="10.1234/abcd",
    address="https://example.org/thigh",
    keywords=("sarcoma", "MRI"),
    funding=("Cancer Foundation, grant 17",),
    ethics=("Committee 2020-1",),
)


def entry(number: int, **changes: Any) -> CaseEntry:
    """A case of patient ``number // 2``, of 100 ml times its number."""
    found = CaseEntry(
        case=f"sub-{number // 2}_ses-{number}",
        patient=f"sub-{number // 2}",
        former_codes=(),
        tissue_type="fat",
        anatomical_site="thigh",
        drawn_role="t1",
        images={"t1": f"{number}/t1.nii.gz", "t2": f"{number}/t2.nii.gz"},
        mask=f"{number}/mask.nii.gz",
        record=f"{number}/mask.json",
        missing_images=(),
        quality_score="excellent",
        shape=(4, 4, 4),
        spacing_mm=(1.0, 1.0, 1.0),
        volume_ml=float(number * 100),
        label_volumes_ml={"Tumour": float(number * 100)},
        mask_empty=False,
        unannotated_slices=(),
        voxels={"t1": f"t1-{number}", "t2": f"t2-{number}", "mask": f"mask-{number}"},
        fingerprint=f"print-{number}",
    )
    return replace(found, **changes)


def facts(number: int, **changes: Any) -> CaseFacts:
    """The same with what is known beside the entry; changes of the entry by name, others as of `CaseFacts`."""
    own = {
        name: changes.pop(name) for name in ("grey", "acquisition", "agreement", "models", "stages") if name in changes
    }
    own |= {name: changes.pop(name) for name in ("registrations",) if name in changes}
    return CaseFacts(entry(number, **changes), **own)


class Page(HTMLParser):
    """A page's text, tags and the values of attributes that could run or fetch something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words."""
        return "".join(self.words)
