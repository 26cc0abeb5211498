"""The private `.env` file, and an installation without one."""

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from annotation_backend.environment import (
    ROOT,
    SECRETS,
    UnreadableEnvironment,
    draw_missing,
    fresh_environment,
    read_environment,
    write_environment,
)


def test_secrets_are_drawn_afresh_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert write_environment(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second = fresh_environment(), fresh_environment()
    secret = [name for name in first if name.endswith(("PASSWORD", "KEY", "TOKEN"))]
    assert len(secret) == 7
    assert all(first[name] != second[name] for name in secret)


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("MINE=1\n")
    assert not write_environment(path)
    assert path.read_text() == "MINE=1\n"


@pytest.mark.parametrize("lacks", ["", "{name}=\n", "export {name} = ''\n"])
def test_a_missing_secret_is_drawn_into_an_existing_file_and_nothing_else_changes(tmp_path: Path, lacks: str) -> None:
    path = tmp_path / ".env"
    kept = ["# mine", "MASKLOOP_URL='http://x:1'", "ML_BACKEND_PASSWORD=" + "p" * 40, "no line of ours", ""]
    path.write_text("\n".join(kept) + "".join(lacks.format(name=name) for name in SECRETS[:2]))
    path.chmod(0o644)
    assert draw_missing(path) == ["LABEL_STUDIO_TOKEN", "MASKLOOP_SECRET_KEY"]
    lines = path.read_text().splitlines()
    assert [line for line in kept if line and line not in lines] == []
    found = read_environment(path)
    assert all(len(found[name]) >= 32 for name in SECRETS)
    assert (found["ML_BACKEND_PASSWORD"], found["MASKLOOP_URL"]) == ("p" * 40, "http://x:1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert draw_missing(path) == []
    assert path.read_text().splitlines() == lines


def test_a_file_with_a_mark_or_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b'\xef\xbb\xbfA=1\r\nexport B = "x y"\r\n#C=3\r\nA=2\r\n')
    assert read_environment(path) == {"A": "2", "B": "x y"}


@pytest.mark.parametrize("content", ["A=1\nB=\u00fc\n".encode("latin-1"), "A=1".encode("utf-16")])
def test_a_file_in_another_encoding_is_named_and_never_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content)
    for asked in (read_environment, draw_missing):
        with pytest.raises(UnreadableEnvironment, match="UTF-8"):
            asked(path)
    assert path.read_bytes() == content


def _manage(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={
            **os.environ,
            **fresh_environment(),
            "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


WRONG = [
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://a:secret@b/c"),
    ("DATABASE_URL", "postgresql://a:secret@b:port/c"),
    ("MASKLOOP_WORKERS", "abc"),
    ("MASKLOOP_WORKERS", "-1"),
    ("MASKLOOP_PICTURE_LIFETIME_DAYS", "abc"),
    ("MASKLOOP_PICTURE_LIFETIME_DAYS", "99999999999"),
    ("MASKLOOP_EMBEDDINGS_GB", "nan"),
    ("MASKLOOP_WAIT_SECONDS", "1e999"),
    ("MASKLOOP_DEBUG", "perhaps"),
    ("MASKLOOP_DATA", "manage.py"),
    ("MASKLOOP_URL", "127.0.0.1:8000"),
    ("LABEL_STUDIO_URL", "nonsense"),
    ("LABEL_STUDIO_URL", "http://127.0.0.1:99999999"),
    ("MASKLOOP_EMAIL_URL", "secret@example.org"),
    ("MASKLOOP_EMAIL_URL", "filemail:///secret"),
    ("MASKLOOP_EMAIL_URL", "smtp+tls://a:secret@b:port"),
    ("MASKLOOP_OIDC_ISSUER", "login.example.org"),
    ("MASKLOOP_SECOND_FACTOR_ROLES", "radiologist,secretary"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_setting_that_is_none_is_named_and_its_value_is_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    spec = importlib.util.find_spec("annotation_backend.settings")
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not ") as refused:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert "secret" not in str(refused.value)


def test_a_command_says_what_of_its_environment_is_wrong_in_one_line() -> None:
    done = _manage({"LABEL_STUDIO_URL": "nonsense"}, "pull_annotations")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("LABEL_STUDIO_URL is not an address such as ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_without_the_administrators_password_label_studio_is_not_started_and_that_is_said(tmp_path: Path) -> None:
    done = _manage({"MASKLOOP_DATA": str(tmp_path), "ADMINISTRATOR_PASSWORD": ""}, "run_label_studio")
    assert done.returncode == 3
    assert "ADMINISTRATOR_PASSWORD, the first password of " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_migrate_makes_the_data_folder_in_a_fresh_checkout(tmp_path: Path) -> None:
    environment = {"MASKLOOP_DATA": str(tmp_path / "deep" / "data"), "DATABASE_URL": ""}
    before = _manage(environment, "list_models", "--json")
    assert (before.returncode, json.loads(before.stdout)["code"]) == (3, "database")
    assert _manage(environment, "migrate", "--verbosity", "0").returncode == 0
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    assert _manage(environment, "list_models", "--json").returncode == 0


@pytest.mark.slow
def test_migrate_needs_no_secret_in_a_fresh_checkout(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in fresh_environment()}
    bare |= {
        "MASKLOOP_DATA": str(tmp_path),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
    }
    done = subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=bare, check=False)
    assert (done.returncode, (tmp_path / "maskloop.sqlite3").is_file()) == (0, True)


@pytest.mark.slow
def test_an_argument_in_another_encoding_is_refused(tmp_path: Path) -> None:
    environment = {"MASKLOOP_DATA": str(tmp_path), "DATABASE_URL": ""}
    done = _manage(environment, "register_cases", "--json", "--case", os.fsdecode(b"C\xe9"))
    assert (done.returncode, json.loads(done.stdout)["code"]) == (2, "argument-text")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["MASKLOOP_SECRET_KEY", "LABEL_STUDIO_TOKEN", "ML_BACKEND_PASSWORD"])
@pytest.mark.parametrize("value", ["", "short"])
def test_without_a_proper_secret_nothing_starts(name: str, value: str) -> None:
    environment = {
        **os.environ,
        **fresh_environment(),
        name: value,
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"{name} is missing or shorter" in done.stderr


@pytest.mark.slow
def test_check_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"
        "import annotation_backend.urls; from django.core.management import call_command; call_command('check');"
        "print([m for m in ('torch', 'monai', 'ants', 'transformers', 'SimpleITK', 'skimage', 'sklearn',"
        " 'label_studio_sdk') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
