"""The environment of Label Studio's process: its database, and no secret of ours."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from annotation_backend.labeling.studio_server import server
from datasets.errors import RejectedInput


def test_without_an_address_label_studio_keeps_its_sqlite_file() -> None:
    assert server.database_environment("") == {}


def test_an_address_becomes_label_studios_own_variables() -> None:
    found = server.database_environment("postgresql://ann%40ls:p%2Fw@db.local:6432/label?sslmode=verify-full")
    assert found == {
        "LABEL_STUDIO_DJANGO_DB": "default",
        "LABEL_STUDIO_POSTGRE_HOST": "db.local",
        "LABEL_STUDIO_POSTGRE_PORT": "6432",
        "LABEL_STUDIO_POSTGRE_NAME": "label",
        "LABEL_STUDIO_POSTGRE_USER": "ann@ls",
        "LABEL_STUDIO_POSTGRE_PASSWORD": "p/w",
        "PGSSLMODE": "verify-full",
    }


@pytest.mark.parametrize(
    "url",
    [
        "mysql://a:b@c/d",
        "postgresql://db.local/label",
        "postgresql://ls:secret@db.local",
        "postgresql://ls:secret@db.local:port/label",
        "postgresql://ls:secret@db.local/label?options=-csearch_path",
        "postgresql://ls:secret@db.local/label?sslmode",
        "label.sqlite3",
    ],
)
def test_another_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(RejectedInput, match="LABEL_STUDIO_DATABASE_URL") as refused:
        server.database_environment(url)
    assert refused.value.code == "label-studio-database"
    assert "secret" not in str(refused.value)


def test_our_own_database_is_no_business_of_label_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "LABEL_STUDIO_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql://ours:secret@db.local/ours")
    assert not [value for value in server.environment().values() if "ours" in value]


def _database_of_label_studio(url: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """What Label Studio's own Django, with its own paths, makes of the environment that we give it."""
    monkeypatch.setattr(settings, "LABEL_STUDIO_DATABASE_URL", url)
    monkeypatch.setattr(settings, "DATA_FOLDER", folder)
    code = (
        "import importlib, os, sys, label_studio; sys.path.insert(0, os.path.dirname(label_studio.__file__));"
        "found = importlib.import_module(os.environ['DJANGO_SETTINGS_MODULE']).DATABASES['default'];"
        "print(found['ENGINE'].rpartition('.')[2], found['NAME'], found.get('HOST'), found.get('PORT'),"
        " found.get('OPTIONS', {}).get('transaction_mode'))"
    )
    server.data_folder().mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", code], env=server.environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_label_studio_waits_for_its_turn_on_sqlite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = _database_of_label_studio("", monkeypatch, tmp_path)
    assert found == f"sqlite3 {tmp_path}/label_studio/label_studio.sqlite3 None None IMMEDIATE"


@pytest.mark.slow
def test_label_studio_takes_postgresql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = _database_of_label_studio("postgresql://ls:secret@127.0.0.1:6432/label", monkeypatch, tmp_path)
    assert found == "postgresql label 127.0.0.1 6432 None"


def test_behind_a_proxy_label_studio_listens_on_a_port_of_its_own(settings) -> None:
    settings.LABEL_STUDIO_URL = "https://labels.hospital.org"
    settings.LABEL_STUDIO_PORT = 8081
    assert "127.0.0.1:8081" in server.command()
    settings.LABEL_STUDIO_URL, settings.LABEL_STUDIO_PORT = "http://127.0.0.1:8082", 0
    assert server.own_port() == 8082


def test_gunicorns_words_for_our_web_service_are_none_for_label_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` says there where the web service listens."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--bind=127.0.0.1:8000")
    monkeypatch.setenv("WEB_CONCURRENCY", "8")
    assert not {"GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"} & set(server.environment())


def test_cookies_go_over_tls_only_where_label_studio_does(settings) -> None:
    for url, is_secure in (("https://labels.hospital.org", "1"), ("http://127.0.0.1:8080", "0")):
        settings.LABEL_STUDIO_URL = url
        assert server.environment()["LABEL_STUDIO_SESSION_COOKIE_SECURE"] == is_secure
