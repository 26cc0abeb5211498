"""What MkDocs adds to the pages that lie in `docs/`: the reference, the annotators' guide, and lists of decisions.

Each is made of its one place in the code or of the files themselves, so that a new command, setting or decision needs
no edit here.
"""

import re
from pathlib import Path

from annotator_guide import guide_as_markdown, pictures_of_guide
from commands_page import commands_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from settings_page import settings_page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
STATIC = ROOT / "annotation_backend" / "static" / "maskloop"
GUIDE_MARK = "<!-- the guide -->"
"""Where the page for annotators takes in the guide that Maskloop itself shows."""

LISTED = {
    "decisions": "Why things are as they are.",
    "results": "What was measured, with the commit, the machine and the command that made the figures.",
}
"""Folders of numbered pages, and what stands above their list."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts all pages of a folder in the place of its name in the navigation."""
    config.nav = [_filled(entry) for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made of the code."""
    made = {
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "guides/annotator.md": _annotator_page(),
        **{f"{folder}/index.md": _list_of(folder, introduction) for folder, introduction in LISTED.items()},
    }
    for address, content in made.items():
        _put(files, File.generated(config, address, content=content))
    _put(files, File.generated(config, "images/mark.svg", abs_src_path=str(STATIC / "mark.svg")))
    for name in pictures_of_guide():
        _put(files, File.generated(config, f"images/guide/{name}", abs_src_path=str(STATIC / "guide" / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A page that is alone in its tab needs no list of pages beside it."""
    if page.parent is None:
        page.meta["hide"] = ["navigation"]
    return markdown


def _put(files: Files, file: File) -> None:
    if (lying := files.get_file_from_path(file.src_uri)) is not None:
        files.remove(lying)
    files.append(file)


def _filled(entry: dict[str, object] | str) -> dict[str, object] | str:
    if isinstance(entry, dict):
        [(title, place)] = entry.items()
        if isinstance(place, str) and place.rstrip("/") in LISTED:
            folder = place.rstrip("/")
            return {title: [f"{folder}/index.md", *_entries(folder)]}
    return entry


def _entries(folder: str) -> list[dict[str, str]]:
    return [{title: f"{folder}/{path.name}"} for path, title in _titled(folder)]


def _list_of(folder: str, introduction: str) -> str:
    lines = [f"- [{title}]({path.name})" for path, title in _titled(folder)]
    return "\n".join([f"# {folder.capitalize()}", "", introduction, "", *lines, ""])


def _titled(folder: str) -> list[tuple[Path, str]]:
    """The folder's pages with their number and the words of their first line."""
    found = []
    for path in sorted((DOCS / folder).glob("[0-9]*.md")):
        number = int(path.name.partition("-")[0])
        heading = path.read_text(encoding="utf-8").partition("\n")[0].replace("`", "")
        words = re.sub(r"^#\s*[0-9]+[.\s·]*", "", heading)
        found.append((path, f"{number} {words}"))
    return found


def _annotator_page() -> str:
    page = (DOCS / "guides" / "annotator.md").read_text(encoding="utf-8")
    return page.replace(GUIDE_MARK, guide_as_markdown(pictures="../images/guide"))
