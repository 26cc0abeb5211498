"""The guide that Maskloop shows at `/guide/`, for the page for annotators: one text, kept in one place."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "annotation_backend" / "templates" / "guide.html"

_CONTENT = re.compile(r"<article[^>]*>\s*<h1>.*?</h1>(?P<content>.*)</article>", re.DOTALL)
_PICTURE = re.compile(r"{% static 'maskloop/guide/(?P<name>[\w.-]+)' %}")
_HEADING = re.compile(r"<h2>(?P<words>.*?)</h2>")


def guide_as_markdown(*, pictures: str) -> str:
    """The guide without its frame; its headings are Markdown's, so that the page has a table of contents.

    Args:
        pictures: Folder of its pictures, as seen from the page.
    """
    content = _PICTURE.sub(rf"{pictures}/\g<name>", _content())
    if "{%" in content or "{{" in content:
        raise ValueError(f"{TEMPLATE.name} holds a template tag that the documentation cannot show.")
    return _HEADING.sub(r"\n## \g<words>\n", content)


def pictures_of_guide() -> list[str]:
    """Names of the guide's pictures."""
    return _PICTURE.findall(_content())


def _content() -> str:
    found = _CONTENT.search(TEMPLATE.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"Expected an article with a heading in {TEMPLATE.name}, got none.")
    return found["content"]
