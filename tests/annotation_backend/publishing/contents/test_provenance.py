"""What a release tells of how a mask came about, and that nobody is named in it."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Registration
from annotation_backend.inference.models import InitialMask, Prediction
from annotation_backend.labeling.models import CaseMask, Correction, CorrectionKind
from annotation_backend.publishing.contents.provenance import provenance_of
from annotation_backend.readers.models import PairAgreement
from annotation_backend.registry.models import Model
from annotation_backend.review.models import Review
from annotation_backend.stages.models import CaseStage, StageState
from tests.annotation_backend.publishing.conftest import Approved

pytestmark = pytest.mark.django_db

CANARY = "CANARY^PERSON"


@pytest.fixture
def review(approved: Approved, people: dict[Role, User]) -> Review:
    for person in people.values():
        person.first_name = person.last_name = CANARY
        person.save()
    return approved("C0001", comment=f"{CANARY} says that it is fine.")


def _model(name: str, **values: object) -> Model:
    names = {"name": name, "version": "1", "method": "clicks-2d", "folder": "f", "prompt_kinds": []}
    return Model.objects.create(**names, digest=name * 8, **values)


def test_a_case_that_was_drawn_and_reviewed(review: Review) -> None:
    assert provenance_of(review) == {
        "stages": [
            {"stage": "annotate", "round": 1, "state": "done"},
            {"stage": "review", "round": 1, "state": "done"},
        ],
        "scores": [{"stage": "review", "verdict": "approve", "score": "excellent"}],
        "agreement": [],
        "models": [],
        "corrections": [],
        "registrations": [
            {
                "image": "t1",
                "onto": "t2",
                "method": "identity",
                "verdict": "",
                "verdict_of_checks": "",
                "checks": {},
            }
        ],
        "slices": {"drawn": 1, "not_drawn": 4},
    }


def test_models_whose_masks_people_saw_before_the_mask_was_made(review: Review) -> None:
    mask = review.mask
    drafted, asked, later = _model("drafts"), _model("prompted"), _model("later")
    for model, moment, bits in ((drafted, -1, b"x"), (asked, -1, b""), (later, 1, b"x")):
        row = InitialMask.objects.create(case=mask.case, slice_index=1, model=model, inputs_sha256="x", bits=bits)
        InitialMask.objects.filter(pk=row.pk).update(drawn=mask.created + timedelta(seconds=moment))
    for model, moment in ((asked, -1), (drafted, -1), (later, 1)):
        row = Prediction.objects.create(case=mask.case, slice_index=1, model=model, mask_sha256="x", pixels=3)
        Prediction.objects.filter(pk=row.pk).update(created=mask.created + timedelta(seconds=moment))
    mask.corrections.add(_correction(mask, drafted, CorrectionKind.AUTOMATIC))
    names = {"version": "1", "method": "clicks-2d"}
    found = provenance_of(review)
    assert found["models"] == [
        {"name": "drafts", "digest": "drafts" * 8, "used_as": ["draft", "drew", "shown"], **names},
        {"name": "prompted", "digest": "prompted" * 8, "used_as": ["shown"], **names},
    ]
    assert found["corrections"] == [{"kind": "automatic", "changed_share": 0.1235}]


def _correction(mask: CaseMask, model: Model | None, kind: CorrectionKind) -> Correction:
    return Correction.objects.create(
        case=mask.case, model=model, kind=kind, file="c.nii.gz", sha256="x", images_sha256="x", slices={},
        changed_share=0.123456,
    )  # fmt: skip


def test_readers_and_rounds_are_told_without_saying_who_they_are(review: Review, people: dict[Role, User]) -> None:
    case, mask = review.mask.case, review.mask
    rows = [
        CaseStage.objects.create(case=case, stage="reading", round=number, state=state, closed_at=timezone.now())
        for number, state in ((1, StageState.RETURNED), (2, StageState.DONE))
    ]
    CaseStage.every.create(
        case=case, stage="reading", round=3, is_control=True, state=StageState.DONE, closed_at=timezone.now()
    )
    figures = {"surface_dice_1mm": 0.51234567, "volume_ratio": 1.0, "volume_ml": 1.0, "other_volume_ml": 1.0}
    for dice, is_current in ((0.91234567, True), (0.1, False)):
        other = CaseMask.objects.create(
            case=case, inputs_sha256=str(dice), file="m", sha256="x", annotated_slices=[], unannotated_slices=[],
            labels=[],
        )  # fmt: skip
        PairAgreement.objects.create(
            row=rows[1], first=mask, second=other, masks_sha256="x", label="Tumour", dice=dice, hd95_mm=None,
            by_slice={}, is_current=is_current, **figures,
        )  # fmt: skip
    found = provenance_of(review)
    assert found["stages"][2:] == [
        {"stage": "reading", "round": 1, "state": "returned"},
        {"stage": "reading", "round": 2, "state": "done"},
    ]
    assert found["agreement"] == [
        {
            "stage": "reading",
            "round": 2,
            "label": "Tumour",
            "dice": 0.9123,
            "surface_dice_1mm": 0.5123,
            "hd95_mm": None,
        }
    ]


def test_registrations_are_told_with_what_their_checks_measured(review: Review) -> None:
    checks = [
        {"code": "overlap", "value": 0.98765432, "verdict": "accept", "message": CANARY},
        {"code": "odd", "value": CANARY},
    ]
    Registration.objects.update(
        record={"method": "rigid", "quality": {"verdict": "look", "checks": checks}},
        automatic_verdict="look",
        verdict="accept",
    )
    [found] = provenance_of(Review.objects.get(pk=review.pk))["registrations"]
    assert found == {
        "image": "t1",
        "onto": "t2",
        "method": "rigid",
        "verdict": "accept",
        "verdict_of_checks": "look",
        "checks": {"overlap": 0.9877, "odd": None},
    }
    Registration.objects.update(verdict="left_out")
    assert provenance_of(Review.objects.get(pk=review.pk))["registrations"] == []


def test_nobody_and_no_moment_is_in_it(review: Review, people: dict[Role, User]) -> None:
    said = json.dumps(provenance_of(review))
    assert CANARY not in said
    assert "maskloop.local" not in said
    assert str(timezone.now().year) not in said
    for person in people.values():
        assert f'"{person.username}"' not in said
