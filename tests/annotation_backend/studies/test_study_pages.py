"""A study's first page and the first page of all: what waits, the protocol, the people; addresses in templates."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import NoReverseMatch, reverse

from annotation_backend.accounts.models import Role, User
from annotation_backend.environment import ROOT
from annotation_backend.labeling.models import LabelingTask, TaskState
from annotation_backend.labeling.versions.assembly import assemble
from annotation_backend.pages.overview import Overview
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import give_role, has_role_in, role_in, studies_of
from annotation_backend.studies.services import create_study
from datasets.study.shipped_protocols import FIRST, shipped_text
from tests.annotation_backend.studies.world import filled
from tests.annotation_backend.support.addresses import every_address, page_at
from tests.annotation_backend.support.records import (
    approve,
    published,
    registered_case,
    saved,
    second_study,
    signed_in,
    the_study,
)

pytestmark = pytest.mark.django_db

TEMPLATES = ROOT / "annotation_backend" / "templates"
OF_A_STUDY = {address.name for address in every_address() if address.is_of_a_study}


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_templates_ask_for_pages_of_their_study_and_for_no_others(path: Path) -> None:
    text = path.read_text()
    others = set(re.findall(r"\{% url '([\w-]+)'", text))
    assert not others & OF_A_STUDY, "`page` gives the address below the study"
    assert set(re.findall(r"\{% page '([\w-]+)'", text)) <= OF_A_STUDY
    assert not re.search(r"(href|src|action)=\"/", text), "an address that is written out knows no study"


def test_an_address_without_its_study_is_none() -> None:
    with pytest.raises(NoReverseMatch):
        Template("{% url 'case-page' 'C0001' %}").render(Context({"study": the_study()}))
    shown = Template("{% page 'case-page' 'C0001' %}").render(Context({"study": the_study()}))
    assert shown == "/studies/mstt-199/cases/C0001/"


def _shown(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def test_the_first_page_of_a_study_shows_its_protocol(people: dict[Role, User]) -> None:
    study = second_study("necks", protocol="pet-ct")
    give_role(study, people[Role.ANNOTATOR], Role.ANNOTATOR)
    page = _shown(signed_in(people[Role.ANNOTATOR]), page_at("study", study="necks"))
    protocol = study.protocol
    assert f"version {protocol.version}" in page
    assert protocol.digest[:16] in page
    for word in ("CT", "PET", "Tumour", protocol.labels[0].colour, *(stage.title for stage in protocol.stages)):
        assert word in page
    assert f'fill="{protocol.labels[0].colour}"' in page


def test_people_and_the_document_are_for_data_managers(people: dict[Role, User]) -> None:
    for role, person in people.items():
        manages = role in (Role.DATA_MANAGER, Role.ADMINISTRATOR)
        page = _shown(signed_in(person), page_at("study"))
        assert (people[Role.ANNOTATOR].username in page) == manages, role
        answer = signed_in(person).get(page_at("study-protocol"))
        assert answer.status_code == (200 if manages else 403), role
        if manages:
            assert answer.content.decode() == shipped_text("mstt-199")
            assert 'filename="mstt-199-1.toml"' in answer["Content-Disposition"]


def test_what_waits_is_counted_in_its_study(tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    one = filled("alphaword", tmp_path / "a", number=2)
    filled("omegaword", tmp_path / "o", number=3)
    there = Overview(one.study, Role.DATA_MANAGER)
    assert (there.case_count, there.review_count, there.finding_count, there.doubtful_count) == (2, 0, 2, 1)
    assert [patient.code for patient in there.undecided] == ["alphaword-P0009"]
    assert (there.pending_count, there.returned_count, there.release_count) == (4, 0, 2)
    LabelingTask.objects.filter(case__study=one.study).update(state=TaskState.RETURNED)
    page = _shown(signed_in(one.people[Role.ANNOTATOR]), "/")
    assert "5 slices returned by review" in page
    assert "to look at" not in page
    page = _shown(signed_in(one.people[Role.RADIOLOGIST]), "/")
    assert "2 findings to look at" in page
    assert "1 registration to look at" in page
    assert "alphaword-P0009" in page


def test_who_has_no_study_is_told_how_to_come_to_one(people: dict[Role, User]) -> None:
    stranger = User.objects.create_user("stranger@hospital.org")
    assert "You have no role in any study yet" in _shown(signed_in(stranger), "/")
    Study.objects.all().delete()
    assert "manage.py create_study" in _shown(signed_in(people[Role.ADMINISTRATOR]), "/")


def test_an_administrator_sees_all_studies_and_does_what_a_data_manager_does(people: dict[Role, User]) -> None:
    study, person = second_study("necks", protocol="pet-ct"), people[Role.ADMINISTRATOR]
    assert set(studies_of(person)) == {the_study(), study}
    assert role_in(study, person) is Role.ADMINISTRATOR
    assert has_role_in(study, person, Role.DATA_MANAGER)
    assert not has_role_in(study, person, Role.RADIOLOGIST)
    give_role(study, person, Role.RADIOLOGIST)
    assert has_role_in(study, person, Role.RADIOLOGIST)
    assert not has_role_in(the_study(), person, Role.RADIOLOGIST)


def test_a_radiologist_of_another_study_gives_no_verdict(
    people: dict[Role, User], tmp_path: Path, settings: Any
) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    task = published(registered_case())[2]
    saved(task)
    mask = assemble(task.case)
    assert mask is not None
    other = User.objects.create_user("other@hospital.org")
    give_role(second_study(), other, Role.RADIOLOGIST)
    with pytest.raises(Exception, match="not-a-radiologist"):
        approve(mask, other)
    give_role(the_study(), other, Role.RADIOLOGIST)
    assert approve(mask, other).reviewer == other


def test_who_left_a_study_or_the_house_comes_in_no_more(people: dict[Role, User]) -> None:
    person = people[Role.RADIOLOGIST]
    client = signed_in(person)
    assert client.get(page_at("study")).status_code == 200
    person.memberships.all().delete()
    assert client.get(page_at("study")).status_code == 404
    assert client.get(reverse("home")).status_code == 200


@pytest.mark.parametrize("address", ["case-list", "registration-queue"])
def test_tissue_types_have_a_column_where_the_protocol_has_some(
    people: dict[Role, User], tmp_path: Path, settings: Any, address: str
) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    kept = [line for line in shipped_text(FIRST).splitlines() if not line.startswith(("tissue_types", "fat ="))]
    bare = create_study("bare", "\n".join(kept).replace("[drawn_by_tissue_type]", ""))
    assert not bare.protocol.tissue_types
    for study, code in ((the_study(), "C0001"), (bare, "bare-C0001")):
        registered_case(code, study=study, tissue_type="unknown").registrations.update(verdict="look")
        page = _shown(signed_in(people[Role.ADMINISTRATOR]), page_at(address, study=study.name))
        assert code in page
        assert ("Tissue type" in page, "Unknown" in page) == ((study != bare,) * 2)
