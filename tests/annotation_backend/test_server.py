"""What Label Studio's process is told about its database, and what it is not told about ours."""

import pytest

from annotation_backend.labeling import server
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
