"""A patch and the version before give the next version to the last byte, by a script of the standard library."""

import ast
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.errors import RejectedInput
from datasets.files import sha256_of_file
from datasets.release.archives import apply_patch
from datasets.release.archives.pack import pack_release
from datasets.release.archives.patch import SCRIPT_NAME
from datasets.release.verify import verify_release
from tests.datasets.release.samples import CODES, files_of, sample_path

TITLE = "thigh-tumours-1.2.0-to-1.3.0"


@pytest.fixture(scope="module")
def archives(versions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patch in parts."""
    out = tmp_path_factory.mktemp("patch") / "archives"
    pack_release(versions[1], out, former=versions[0], most_bytes=60_000)
    return out


@pytest.fixture
def patch(archives: Path, tmp_path: Path) -> Path:
    """The patch, unpacked; a test may damage it."""
    for part in archives.glob("*.zip"):
        with zipfile.ZipFile(part) as bundle:
            bundle.extractall(tmp_path / "patch")
    return tmp_path / "patch" / TITLE


@pytest.fixture
def former(versions: tuple[Path, Path], tmp_path: Path) -> Path:
    """The version before; a test may damage it."""
    return Path(shutil.copytree(versions[0], tmp_path / "data" / versions[0].name))


def _apply(patch: Path, *arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(patch / SCRIPT_NAME), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_script_is_shipped_as_it_is_and_needs_an_old_python_alone(patch: Path) -> None:
    source = Path(apply_patch.__file__).read_bytes()
    assert (patch / SCRIPT_NAME).read_bytes() == source
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source, feature_version=(3, 8)))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    }
    assert imported <= set(sys.stdlib_module_names)


def test_former_and_patch_give_the_next_version(versions: tuple[Path, Path], patch: Path, former: Path) -> None:
    status, said = _apply(patch, former)
    assert status == 0, said
    made = former.parent / versions[1].name
    assert files_of(made) == files_of(versions[1])
    assert verify_release(made).is_sound
    assert files_of(former) == files_of(versions[0])
    assert [path.name for path in sorted(former.parent.iterdir())] == [versions[0].name, versions[1].name]
    status, said = _apply(patch, former)
    assert (status, "is there already" in said) == (1, True)


def test_only_what_is_new_is_in_it(versions: tuple[Path, Path], patch: Path) -> None:
    held = set(files_of(patch / "files"))
    known = set(files_of(versions[0]).values())
    assert {path for path in held if (versions[1] / path).read_bytes() in known} == set()
    assert sample_path(CODES[3], "t1") not in held, "the same image under another code"
    assert sample_path(CODES[1], "t1") not in held, "the case's mask alone changed"
    assert {sample_path(CODES[1], "mask"), sample_path(CODES[4], "t1"), "manifest.json", "SHA256SUMS"} <= held
    document = json.loads((patch / "patch.json").read_bytes())
    assert sample_path(CODES[2], "mask") in document["removed"]
    assert set(document["changed"]) == held


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _forge(patch: Path, manifest: dict[str, object]) -> None:
    """Another manifest, of which the patch itself says that it is the one."""
    path = patch / "files" / "manifest.json"
    path.write_text(json.dumps(manifest))
    document = json.loads((patch / "patch.json").read_bytes())
    document["new"]["manifest_sha256"] = sha256_of_file(path)
    (patch / "patch.json").write_text(json.dumps(document))


def _without_files(former: Path) -> None:
    value = json.loads((former / "manifest.json").read_bytes())
    (former / "manifest.json").write_text(json.dumps({"release_digest": value["release_digest"], "files": [None]}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda patch, _: _flip(patch / "files" / "cases.csv"), "cases.csv in the patch"),
        (lambda patch, _: _flip(patch / "files" / "manifest.json"), "The patch is not whole"),
        (lambda patch, _: _flip(patch / "files" / "SHA256SUMS"), "SHA256SUMS in the patch"),
        (lambda patch, _: (patch / "files" / "cases.csv").unlink(), "cases.csv is neither"),
        (lambda patch, _: (patch / "patch.json").write_text("[]"), "The patch is not whole"),
        (lambda patch, _: (patch / "patch.json").write_text("{}"), "The patch is not whole"),
        (lambda patch, _: (patch / "patch.json").write_text('{"new": [], "former": 1}'), "The patch is not whole"),
        (
            lambda patch, _: (patch / "patch.json").write_text('{"new": {"title": "a\\u001b"}}'),
            "The patch is not whole",
        ),
        (lambda patch, _: (patch / "patch.json").write_text("[" * 100_000), "The patch is not whole"),
        (lambda patch, _: _forge(patch, {"files": 1}), "The patch is not whole"),
        (lambda patch, _: _forge(patch, {"files": [{"path": 1, "sha256": "0"}]}), "The patch is not whole"),
        (lambda patch, _: _forge(patch, {"files": [{"path": "a\ud800", "sha256": "0"}]}), "leads out"),
        (lambda patch, _: _forge(patch, {"files": [{"path": "../a", "sha256": "0"}]}), "leads out"),
        (lambda _, former: _without_files(former), "was changed"),
        (lambda _, former: _flip(former / sample_path(CODES[1], "t1")), "in the former version"),
        (lambda _, former: (former / sample_path(CODES[1], "t1")).unlink(), "is neither"),
        (lambda _, former: (former / "manifest.json").unlink(), "There is no release"),
    ],
)
def test_damage_is_named_and_nothing_is_made(
    versions: tuple[Path, Path], patch: Path, former: Path, damage: Callable[[Path, Path], object], said: str
) -> None:
    damage(patch, former)
    status, words = _apply(patch, former)
    assert (status, said in words, "Traceback" in words) == (1, True, False), words
    assert not (former.parent / versions[1].name).exists()


def test_another_release_is_not_patched(versions: tuple[Path, Path], patch: Path) -> None:
    status, words = _apply(patch, versions[1])
    assert (status, "another release lies there" in words) == (1, True)


def test_a_patch_that_leads_outside_writes_nothing_there(patch: Path, former: Path) -> None:
    content = json.loads((patch / "files" / "manifest.json").read_bytes())
    content["files"][0]["path"] = "../outside"
    (patch / "files" / "manifest.json").write_text(json.dumps(content))
    document = json.loads((patch / "patch.json").read_bytes())
    document["new"]["manifest_sha256"] = sha256_of_file(patch / "files" / "manifest.json")
    (patch / "patch.json").write_text(json.dumps(document))
    status, words = _apply(patch, former)
    assert (status, "leads out of the release" in words) == (1, True)
    document["new"]["title"] = "../outside"
    (patch / "patch.json").write_text(json.dumps(document))
    assert _apply(patch, former)[0] == 1
    assert not list(patch.parents[1].rglob("*outside*"))


def test_it_goes_on_where_it_was_interrupted(versions: tuple[Path, Path], patch: Path, former: Path) -> None:
    kept = former / sample_path(CODES[1], "t1")
    content = kept.read_bytes()
    kept.unlink()
    assert _apply(patch, former)[0] == 1
    (part,) = former.parent.glob(".part-*")
    before = {path: (part / path).stat().st_mtime_ns for path in files_of(part)}
    assert before
    kept.write_bytes(content)
    assert _apply(patch, former)[0] == 0
    made = former.parent / versions[1].name
    assert files_of(made) == files_of(versions[1])
    assert {path: (made / path).stat().st_mtime_ns for path in before} == before


def test_a_place_of_one_s_own(versions: tuple[Path, Path], patch: Path, former: Path, tmp_path: Path) -> None:
    assert _apply(patch, former, tmp_path / "made")[0] == 0
    assert files_of(tmp_path / "made") == files_of(versions[1])
    for inside in (former / "new", patch / "new"):
        status, words = _apply(patch, former, inside)
        assert (status, "would lie inside" in words) == (1, True)


def test_versions_that_no_patch_joins(versions: tuple[Path, Path], sound_release: Path, tmp_path: Path) -> None:
    with pytest.raises(RejectedInput, match="patch-versions"):
        pack_release(versions[0], tmp_path / "out", former=versions[0])


def test_what_an_earlier_run_left_of_another_version_is_no_part_of_it(
    versions: tuple[Path, Path], patch: Path, former: Path, tmp_path: Path
) -> None:
    """Nor is a link followed that lies where a file goes."""
    part, outside = former.parent / f".part-{versions[1].name}", tmp_path / "outside"
    (part / "of-another").mkdir(parents=True)
    (part / "of-another" / "left.txt").write_bytes(b"left")
    outside.write_bytes(b"mine")
    (part / "cases.csv").symlink_to(outside)
    status, said = _apply(patch, former)
    assert status == 0, said
    assert files_of(former.parent / versions[1].name) == files_of(versions[1])
    assert verify_release(former.parent / versions[1].name).is_sound
    assert outside.read_bytes() == b"mine"


def test_interrupted_it_says_that_it_goes_on(
    patch: Path, former: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(apply_patch, "make", interrupted)
    assert apply_patch.main([str(former)], home=patch) == 130
    assert "goes on" in capsys.readouterr().err
