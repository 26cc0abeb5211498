"""Which study `up` starts with: made where there is none, asked for where there are several."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotation_backend.accounts.models import Role
from annotation_backend.accounts.services import create_first_accounts
from annotation_backend.cases.ingesting.studies_folder import studies_folder
from annotation_backend.environment import ROOT, fresh_environment
from annotation_backend.starting import addresses, meant_study, notes_on_models, phantom_folder
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, take_role
from datasets.errors import RejectedInput
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.support.installation import free_port
from tests.annotation_backend.support.records import accounts, second_study

pytestmark = pytest.mark.django_db


def _roles(study: Study) -> set[str]:
    return set(study.memberships.values_list("role", flat=True))


@pytest.mark.parametrize(("name", "protocol"), [(None, FIRST), ("t1", "t1"), ("pet-ct", "pet-ct")])
def test_an_empty_installation_begins_with_the_study_that_is_named(
    study: Study, name: str | None, protocol: str
) -> None:
    study.delete()
    create_first_accounts()
    made = meant_study(name, None, has_data=False)
    assert made is not None
    assert (made.name, made.protocol.name, made.is_first) == (protocol, protocol, True)
    assert {Role.ANNOTATOR, Role.RADIOLOGIST, Role.DATA_MANAGER} <= _roles(made)
    assert meant_study(None, None, has_data=True) == made, "the only one need not be named"


def test_a_study_is_made_with_a_document_of_ones_own(study: Study, tmp_path: Path) -> None:
    create_first_accounts()
    document = tmp_path / "brain.toml"
    document.write_text(shipped_text("lipoma").replace('name = "lipoma"', 'name = "brain"'))
    named = meant_study("brain-2026", str(document), has_data=False)
    assert named is not None
    assert (named.name, named.protocol.name) == ("brain-2026", "brain")
    assert meant_study("brain-2026", str(document), has_data=False) == named
    unnamed = meant_study(None, str(document), has_data=False)
    assert unnamed is not None
    assert unnamed.name == "brain"
    with pytest.raises(RejectedInput, match="study-other-protocol") as refused:
        meant_study("brain", "t1", has_data=False)
    assert "change_protocol" in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "protocol", "code"),
    [
        ("thigh", None, "protocol-unknown"),
        ("thigh", "nowhere.toml", "protocol-unknown"),
        ("Thigh", "t1", "study-name"),
        ("../thigh", "t1", "study-name"),
    ],
)
def test_no_study_is_guessed(study: Study, name: str, protocol: str | None, code: str) -> None:
    with pytest.raises(RejectedInput, match=code):
        meant_study(name, protocol, has_data=False)
    assert Study.objects.get() == study


def test_of_several_none_is_meant_and_data_asks_for_a_name(study: Study) -> None:
    second_study()
    assert meant_study(None, None, has_data=False) is None
    with pytest.raises(RejectedInput, match="study-unsaid"):
        meant_study(None, None, has_data=True)
    assert meant_study("second", None, has_data=True) == Study.objects.get(name="second")


def test_who_was_taken_out_of_a_study_stays_out(study: Study) -> None:
    people = accounts()
    take_role(study, people[Role.ANNOTATOR])
    other = second_study()
    give_role(other, people[Role.RADIOLOGIST], Role.DATA_MANAGER)
    for name in (study.name, "second"):
        meant_study(name, None, has_data=False)
    assert Role.ANNOTATOR not in _roles(study)
    assert _roles(other) == {Role.DATA_MANAGER}


def test_every_study_has_its_addresses_and_says_which_prompts_have_no_model(study: Study, settings: Any) -> None:
    second_study("of-ct", protocol="ct")
    lines = "\n".join(addresses())
    for name in (study.name, "of-ct"):
        assert f"{settings.MASKLOOP_URL}/studies/{name}/review/" in lines
    assert any(line.startswith("of-ct: box prompts for Tumour: no model") for line in notes_on_models())


def test_each_study_has_a_phantom_cohort_of_its_own_which_may_be_given_again(
    study: Study, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_FOLDER = tmp_path
    from datasets.phantom import protocol_cohort

    written: list[tuple[str, Path]] = []

    def write(protocol: Any, folder: Path) -> None:
        written.append((protocol.name, folder))
        folder.mkdir(parents=True)

    monkeypatch.setattr(protocol_cohort, "write_cohort_of", write)
    other = second_study("of-ct", protocol="ct")
    places = [phantom_folder(one) for one in (study, other)]
    assert written == [(FIRST, tmp_path / "phantom"), ("ct", tmp_path / "studies" / "of-ct" / "phantom")]
    assert [studies_folder(place) for place in places] == places
    for own in ("studies", "studies/of-ct", "studies/of-ct/cases"):
        (tmp_path / own).mkdir(exist_ok=True)
        with pytest.raises(RejectedInput, match="own-folder"):
            studies_folder(tmp_path / own)


@pytest.mark.slow
def test_a_study_that_cannot_be_meant_is_refused_before_anything_starts(tmp_path: Path) -> None:
    own = {
        **fresh_environment(),
        "MASKLOOP_URL": f"http://127.0.0.1:{free_port()}",
        "LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}",
        "MASKLOOP_DATA": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "annotation_backend.settings",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--study", "nowhere"],
        cwd=ROOT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "protocol-unknown" in done.stderr
    assert not list((tmp_path / "data" / "logs").glob("*.log"))
