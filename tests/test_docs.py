"""The documentation holds together: it builds strict, shows every command and setting, and names files that exist."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotation_backend.environment import ROLE_NAMES, fresh_environment, password_variable
from datasets.study.protocol_document import check_document
from datasets.study.shipped_protocols import shipped_names

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("annotation_backend", "curation", "datasets", "training")
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "guides").glob("*.md"))]
FRONT_DOORS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

FAULTS = ROOT / "docs" / "results" / "0012-field-and-attacks.md"
"""The one page of results that names files as they are now: where each fault was mended, and the test that holds it."""

OF_THE_FIELD = re.compile(r"attack/.*|studio_stopped\.py")
"""Scripts of those who found the faults; they are not kept here."""

OF_THE_SYSTEM = {"PATH", "DJANGO_SETTINGS_MODULE", "RANK", "LOCAL_RANK", "WORLD_SIZE"}
"""Variables that are read and are no lines of `.env`; the last three are torchrun's."""

_READ = re.compile(r"""(?:configured\.[a-z]+\(|os\.environ(?:\.get)?[(\[])\s*"([A-Z][A-Z0-9_]+)\"""")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_EXAMPLE = re.compile(r"Example: <code>([A-Z0-9_]+)=([^<]*)</code>")
_PATH = re.compile(r"`((?:annotation_backend|curation|datasets|training|tests|docs|benchmarks|\.ci)/[\w./-]*[\w/])`")
_NAMED = re.compile(r"`([\w/]+\.py)` \(((?:`\w+`(?:, )?)+)\)")
_FILE = re.compile(r"[\w./-]*\w\.(?:py|html)")
_CODE = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"([\w/]*test_\w+\.py)|::(test_\w+)")
_FROM_ELSEWHERE = re.compile(r"<(?:script|img|iframe|source)[^>]+src=.?https?:|<link[^>]+href=.?https?:|url\(.?https?:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=_environment({}))
    assert done.returncode == 0, done.stderr
    return folder


def _environment(values: dict[str, str]) -> dict[str, str]:
    """Of a process that knows no setting but these."""
    own = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    return {**own, "NO_MKDOCS_2_WARNING": "1", "DJANGO_SETTINGS_MODULE": "annotation_backend.settings", **values}


def _is_ours(name: str) -> bool:
    return name.startswith(("MASKLOOP_", "LABEL_STUDIO_", "ML_BACKEND_", "DATABASE_", "DASK_"))


def _settings_read() -> set[str]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {name for path in files for name in _READ.findall(path.read_text(encoding="utf-8"))}
    return found - OF_THE_SYSTEM | {password_variable(role) for role in ROLE_NAMES}


def _headings(page: Path) -> set[str]:
    return set(re.findall(r'<h[23] id="[^"]+">([^<]+)<', page.read_text(encoding="utf-8")))


def test_every_setting_that_the_code_reads_is_on_the_page_of_settings(site: Path) -> None:
    assert _settings_read() == _headings(site / "reference" / "settings.html")


def test_the_examples_of_settings_are_what_settings_may_be(site: Path) -> None:
    page = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    examples = dict(_EXAMPLE.findall(page))
    assert len(examples) > 15
    command = [sys.executable, "-c", "import annotation_backend.settings"]
    given = _environment({**fresh_environment(), **examples})
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=given)
    assert done.returncode == 0, done.stderr


def test_every_command_is_on_the_page_of_commands(site: Path) -> None:
    folders = (ROOT / "annotation_backend").rglob("management/commands")
    commands = {path.stem for folder in folders for path in folder.glob("[a-z]*.py")}
    assert commands <= _headings(site / "reference" / "commands.html")


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 40
    assert {path.name: found[0] for path in files if (found := _FROM_ELSEWHERE.findall(path.read_text("utf-8")))} == {}


def test_every_decision_and_result_is_in_the_lists(site: Path) -> None:
    for folder in ("decisions", "results"):
        page = (site / folder / "index.html").read_text(encoding="utf-8")
        assert all(f"{path.stem}.html" in page for path in (ROOT / "docs" / folder).glob("*.md"))


@pytest.mark.parametrize("page", FRONT_DOORS, ids=lambda page: page.name)
def test_links_of_the_front_doors_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_readme_is_read_within_a_minute() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", [*FRONT_DOORS, *PAGES], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text(encoding="utf-8")))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_files_that_the_page_of_faults_names_are_there() -> None:
    here = [f"/{path}" for path in _files()]
    named = {file for code in _CODE.findall(FAULTS.read_text(encoding="utf-8")) for file in _FILE.findall(code)}
    found = {file for file in named if not OF_THE_FIELD.fullmatch(file)}
    assert len(found) > 150
    assert sorted(file for file in found if not any(path.endswith(f"/{file}") for path in here)) == []


def test_tests_that_the_page_of_faults_names_are_in_the_files_that_it_names() -> None:
    known = {f"/{path}": (ROOT / path).read_text(encoding="utf-8") for path in _files() if path.startswith("tests/")}
    named = list(_tests_of_faults())
    assert len(named) > 300
    assert [
        (file, test)
        for file, test in named
        if not any(f"def {test}(" in text for path, text in known.items() if path.endswith(f"/{file}"))
    ] == []


def _tests_of_faults() -> Iterator[tuple[str, str]]:
    """Each test with its file; ``::test_name`` alone is in the file that the same cell named before it."""
    for cell in re.split(r"[|\n]", FAULTS.read_text(encoding="utf-8")):
        file = ""
        for named, test in _TEST.findall(cell):
            file = named or file
            if test:
                yield file, test


def _files() -> list[str]:
    """Our modules and templates, below the root."""
    folders = [ROOT / name for name in (*PACKAGES, "tests", "benchmarks")]
    files = [path for folder in folders for end in ("py", "html") for path in folder.rglob(f"*.{end}")]
    return [str(path.relative_to(ROOT)) for path in (*files, ROOT / "manage.py")]


def test_the_architecture_names_what_its_files_hold() -> None:
    found = [(file, name) for file, names in _NAMED.findall(_architecture()) for name in re.findall(r"\w+", names)]
    assert len(found) > 25
    missing = [(file, name) for file, name in found if name not in (ROOT / file).read_text(encoding="utf-8")]
    assert missing == []


@pytest.mark.parametrize("path", ["A folder to a task", "A click to a mask", "A save to a release"])
def test_each_file_of_a_path_is_reached_from_those_before_it(path: str) -> None:
    section = _architecture().partition(f"### {path}\n")[2].partition("\n#")[0]
    files = [ROOT / name for name in dict.fromkeys(re.findall(r"`([\w/]+\.py)`", section))]
    assert len(files) > 15
    assert [str(file) for number, file in enumerate(files) if not _is_reached(file, [*_BEGIN, *files[:number]])] == []


_BEGIN = [path for name in ("commands/*.py", "reactions.py", "urls.py") for path in ROOT.glob(f"annotation*/**/{name}")]
_BEGIN += (ROOT / "training" / "table" / "rows").glob("*.py")
"""What a person, a signal or a request begins with, and methods, which are found by themselves."""


def _is_reached(file: Path, others: list[Path]) -> bool:
    """Whether one of the others imports it; models are imported by their package."""
    package = ".".join(file.parent.relative_to(ROOT).parts)
    ways = rf"from {package}\.{file.stem} import|from {package} import [^\n]*\b{file.stem}\b"
    ways += rf"|\"{package}\.{file.stem}:"  # named in a row of the table of methods
    ways += rf"|from {package} import" if file.parent.name == "models" else ""
    return file in others or any(re.search(ways, other.read_text(encoding="utf-8")) for other in others)


def _architecture() -> str:
    return (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_picture_of_the_house_shows_every_room() -> None:
    picture = (ROOT / "docs" / "images" / "house.svg").read_text(encoding="utf-8")
    lower = [folder for floor in ("curation", "datasets", "training") for folder in (ROOT / floor).iterdir()]
    apps = [folder for folder in (ROOT / "annotation_backend").iterdir() if (folder / "apps.py").exists()]
    rooms = {folder.name for folder in [*lower, *apps] if (folder / "__init__.py").exists()}
    assert len(rooms) > 30
    assert {room for room in rooms if f">{room}<" not in picture} == set()


def _protocol_page() -> str:
    return (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")


def test_the_protocol_that_the_page_of_protocols_shows_has_no_fault() -> None:
    document, double_reading = re.findall(r"```toml\n(.*?)```", _protocol_page(), flags=re.DOTALL)
    images_and_labels = document.partition("[[stages]]")[0]
    for text, first in ((document, "annotate"), (images_and_labels + double_reading, "read")):
        protocol, faults = check_document(text)
        assert not faults
        assert protocol is not None
        assert (protocol.name, protocol.steps[0].name) == ("brain", first)


def test_every_key_of_a_protocol_is_on_the_page_of_protocols() -> None:
    readers = [ROOT / "datasets" / "study" / f"{name}_document.py" for name in ("protocol", "stage")]
    source = "".join(path.read_text(encoding="utf-8") for path in readers)
    read = set(re.findall(r'table\.(?!has|fault|add)\w+\(\s*"(\w+)"', source))
    told = {word for row in re.findall(r"^\| (`[^|]+) \|", _protocol_page(), flags=re.MULTILINE)
            for word in re.findall(r"`(\w+)`", row)}  # fmt: skip
    assert read - {"images", "labels", "stages"} <= told
    assert all(f"[[{name}]]" in _protocol_page() for name in ("images", "labels", "stages"))


def test_every_code_on_the_page_of_protocols_is_one() -> None:
    source = "".join(path.read_text(encoding="utf-8") for place in ("datasets/study", "annotation_backend")
                     for path in (ROOT / place).rglob("*.py"))  # fmt: skip
    told = set(re.findall(r"`((?:protocol|study)-[a-z-]+)`", _protocol_page()))
    made = {f"protocol-{key}-twice" for key in ("value", "name", "colour", "key")}
    assert {code for code in told - made if f'"{code}"' not in source} == set()


def test_the_protocols_that_come_along_are_on_the_page_of_protocols() -> None:
    told = set(re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", _protocol_page(), flags=re.MULTILINE))
    assert told == set(shipped_names())
