"""Which models fit a study, which images of a case they are given, and what is said where they do not."""

from dataclasses import replace

import pytest

from annotation_backend.registry.models import Model
from annotation_backend.registry.study_fit import fit_in, roles_for
from datasets.errors import RejectedInput
from datasets.study.image_kind import Fit
from datasets.study.protocol import ImageRole, Label, Modality, Protocol, Wanted, Weighting
from datasets.study.shipped_protocols import shipped_protocol

SIX_POINTS = Model(name="six-points", version="1", method="six-points", images=["t1"], label="Tumour")
BOXES = Model(name="lite-medsam", version="1", method="lite-medsam", images=[], label="")
UNET = Model(name="unet-25d", version="3", method="unet-25d", images=["t1", "t2"], label="Tumour")
BRAIN = Protocol(
    "brain",
    1,
    "Brain tumours",
    images=(
        ImageRole("t1ce", "T1", Modality.MR, Weighting.T1, contrast=Wanted.REQUIRE),
        ImageRole("t2", "T2", Modality.MR, Weighting.T2, fat_suppression=Wanted.REFUSE),
        ImageRole("flair", "FLAIR", Modality.MR, Weighting.FLAIR, is_required=False),
    ),
    drawn="t1ce",
    labels=(Label(1, "Glioma", "#e8590c", is_prompted=True), Label(2, "Oedema", "#1098ad")),
)


@pytest.mark.parametrize(
    ("model", "protocol", "fit", "reason"),
    [
        (SIX_POINTS, "mstt-199", Fit.FITS, ""),
        (SIX_POINTS, "t1", Fit.FITS, ""),
        (SIX_POINTS, "lipoma", Fit.FITS, ""),
        (SIX_POINTS, "ct", Fit.OTHER, "six-points-1 learned from T1, and ct is a CT"),
        (SIX_POINTS, "pet-ct", Fit.OTHER, "six-points-1 learned from T1, and ct is a CT, pet is a PET"),
        (BOXES, "ct", Fit.FITS, ""),
        (BOXES, "pet-ct", Fit.FITS, ""),
        (UNET, "mstt-199", Fit.FITS, ""),
        (UNET, "t1", Fit.OTHER, "unet-25d-3 learned from T2, and t1 is T1"),
    ],
)
def test_which_models_fit_a_shipped_protocol(model: Model, protocol: str, fit: Fit, reason: str) -> None:
    found = fit_in(model, shipped_protocol(protocol))
    assert (found.fit, found.reason, found.labels) == (fit, reason, ("Tumour",))


def test_another_contrast_and_another_label_are_said() -> None:
    found = fit_in(SIX_POINTS, BRAIN)
    assert (found.fit, found.labels, found.is_sure) == (Fit.DOUBTFUL, (), False)
    assert found.reason == (
        "six-points-1 learned from T1, and t1ce is after contrast; "
        "it draws Tumour, and prompts of this study draw Glioma"
    )
    assert fit_in(BOXES, BRAIN).is_sure
    assert fit_in(BOXES, BRAIN).labels == ("Glioma",)


def test_a_model_is_given_the_drawn_image_first_then_the_first_of_the_protocol() -> None:
    t1 = ImageRole("t1", "T1", Modality.MR, Weighting.T1)
    protocol = replace(BRAIN, images=(t1, replace(t1, name="later"), replace(t1, name="last")))
    images = dict.fromkeys(protocol.roles)
    assert roles_for(SIX_POINTS, protocol, drawn="later", present=images) == {"t1": "later"}
    assert roles_for(SIX_POINTS, protocol, drawn="t1", present=images) == {"t1": "t1"}
    assert roles_for(SIX_POINTS, protocol, drawn="t1", present={"last": None}) == {"t1": "last"}
    assert roles_for(BOXES, protocol, drawn="t1", present=images) == {}


def test_no_image_serves_for_two_kinds() -> None:
    anything = replace(BRAIN, images=(ImageRole("mr", "MR", Modality.MR), ImageRole("other", "MR", Modality.MR)))
    with pytest.raises(RejectedInput, match="model-images-doubtful"):
        roles_for(UNET, anything, drawn="ct", present={"mr": None, "other": None})
    alone = replace(BRAIN, images=(ImageRole("mr", "MR", Modality.MR),))
    with pytest.raises(RejectedInput, match="case-image-missing"):
        roles_for(UNET, alone, drawn="mr", present={"mr": None})


def test_a_study_without_the_image_and_a_case_without_it_are_refused_by_name() -> None:
    with pytest.raises(RejectedInput) as refused:
        roles_for(SIX_POINTS, shipped_protocol("ct"), drawn="ct", present={"ct": None})
    assert refused.value.code == "model-images"
    assert refused.value.message == "six-points-1 learned from T1, and ct is a CT."
    needs_contrast = Model(name="own", version="2", method="two-stage", images=["t1", "t1-ce"], label="Tumour")
    with pytest.raises(RejectedInput) as refused:
        roles_for(needs_contrast, shipped_protocol("lipoma"), drawn="t1", present={"t1": None, "t2_fs": None})
    assert refused.value.code == "case-image-missing"
    assert refused.value.message == "This case has no t1_contrast, and own-2 draws on T1 after contrast."


def test_which_of_two_doubtful_images_is_meant_is_not_guessed() -> None:
    contrast = replace(BRAIN.images[0], name="late")
    two = replace(BRAIN, images=(*BRAIN.images, contrast))
    present = dict.fromkeys(two.roles)
    assert roles_for(SIX_POINTS, two, drawn="late", present=present) == {"t1": "late"}
    with pytest.raises(RejectedInput) as refused:
        roles_for(SIX_POINTS, two, drawn="t2", present=present)
    assert refused.value.code == "model-images-doubtful"
    assert "t1ce, late" in refused.value.message
