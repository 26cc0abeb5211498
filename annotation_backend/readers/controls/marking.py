"""Data managers mark cases of known mask as control cases of a stage, and say how many of them people get."""

import numpy as np
from django.db import transaction
from django.utils.timezone import now

from annotation_backend.accounts.models import Role, User
from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.imported import imported_label
from annotation_backend.cases.registration.register import require_sound
from annotation_backend.cases.registration.volumes import picture_plane
from annotation_backend.cases.stored.digests import whole_file
from annotation_backend.labeling.versions.stored_masks import mask_file
from annotation_backend.readers.models import ControlCase, ControlShare, KnownFrom, Pause
from annotation_backend.review.models import approved_review
from annotation_backend.stages.flow import lock, open_rows
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import has_role_in
from datasets.errors import RejectedInput
from datasets.files import sha256_of_bytes, write_bytes
from datasets.formats.nifti import encode, read_mask
from datasets.image.mask import Mask
from datasets.study.stage import Stage, WantedSlices

LARGEST_SHARE = 0.5


def mark(case: Case, stage_name: str, *, by: User) -> ControlCase:
    """Makes a case of known mask a control case of a stage; its mask is kept as it is now.

    Args:
        case: With an approved mask, or one that came with the studies.
        stage_name: A drawing stage of its protocol.
        by: A data manager.

    Raises:
        RejectedInput: The person is none (``not-a-data-manager``), the stage is not one of drawing whole cases
            (``control-stage``), the case is at that stage itself (``control-open``), its mask is not known
            (``control-mask-missing``), or it is one already (``control-exists``).
    """
    require_manager(case.study, by)
    stage = stage_for_controls(case.study, stage_name)
    with transaction.atomic():
        lock(case)
        require_sound(case)
        if any(row.stage == stage.name for row in open_rows(case)):
            raise RejectedInput(
                "control-open",
                f"{case.code} is being drawn in {stage.title} itself.",
                remedy="Take a case that is through, or wait until this one is.",
            )
        if ControlCase.objects.filter(case=case, stage=stage.name, ended_at=None).exists():
            raise RejectedInput(
                "control-exists", f"{case.code} is a control case of {stage.title} already.", remedy="Take another."
            )
        known_from, mask = _known_mask(case)
        content = encode(mask.data, mask.grid.affine)
        digest = sha256_of_bytes(content)
        file = f"masks/known-{digest[:16]}.nii.gz"
        write_bytes(case.folder / file, content)
        return ControlCase.objects.create(
            case=case,
            stage=stage.name,
            known_from=known_from,
            file=file,
            sha256=digest,
            images_sha256=case.images_sha256,
            marked_by=by,
        )


def end_control(control: ControlCase, *, by: User) -> None:
    """People get it no more; what came of it stays.

    Raises:
        RejectedInput: The person is no data manager (``not-a-data-manager``).
    """
    require_manager(control.case.study, by)
    ControlCase.objects.filter(pk=control.pk, ended_at=None).update(ended_at=now())


def set_share(study: Study, stage_name: str, share: float, *, by: User) -> None:
    """Says which share of a stage's pieces of work are control cases.

    Raises:
        RejectedInput: The person is no data manager (``not-a-data-manager``), the stage has no control cases
            (``control-stage``), or the share is not between 0 and one half (``control-share``).
    """
    require_manager(study, by)
    stage = stage_for_controls(study, stage_name)
    if not 0.0 <= share <= LARGEST_SHARE:
        raise RejectedInput(
            "control-share", f"Expected a share from 0 to 50 %, got {share:.0%}.", remedy="Give a number between."
        )
    ControlShare.objects.update_or_create(study=study, stage=stage.name, defaults={"share": share})


def lift(pause: Pause, *, by: User) -> None:
    """Ends a person's pause; their next control cases count anew.

    Raises:
        RejectedInput: Who lifts it is no data manager (``not-a-data-manager``).
    """
    require_manager(pause.study, by)
    Pause.objects.filter(pk=pause.pk, lifted_at=None).update(lifted_at=now(), lifted_by=by)


def stages_for_controls(study: Study) -> list[Stage]:
    """The stages of a study in which people draw whole cases."""
    return [
        stage
        for stage in study.protocol.steps
        if stage.draws and not stage.is_automatic and stage.slices is WantedSlices.ALL
    ]


def stage_for_controls(study: Study, name: str) -> Stage:
    """A stage of a study in which there can be control cases.

    Raises:
        RejectedInput: There is none of this name (``control-stage``).
    """
    found = {stage.name: stage for stage in stages_for_controls(study)}
    if name not in found:
        raise RejectedInput(
            "control-stage",
            "Control cases belong to a stage in which people draw all slices of a case.",
            remedy=f"Take {' or '.join(found) or 'a protocol with such a stage'}.",
        )
    return found[name]


def require_manager(study: Study, person: User) -> None:
    """Refuses whoever is no data manager of a study.

    Raises:
        RejectedInput: ``not-a-data-manager``.
    """
    if not has_role_in(study, person, Role.DATA_MANAGER):
        raise RejectedInput(
            "not-a-data-manager", "This is for data managers.", remedy="Ask a data manager of the study."
        )


def _known_mask(case: Case) -> tuple[KnownFrom, Mask]:
    review = approved_review(case)
    if review is not None:
        return KnownFrom.APPROVED, read_mask(whole_file(mask_file(review.mask)), labels=review.mask.label_names)
    imported = imported_label(case)
    if imported is None or not imported.foreground.any():
        raise RejectedInput(
            "control-mask-missing",
            f"No mask of {case.code} is known: none is approved, and none came with the studies.",
            remedy="Take a case with an approved mask.",
        )
    value = case.protocol.learned_label.value
    data = imported.foreground.astype(np.uint8) * np.uint8(value)
    return KnownFrom.IMPORTED, Mask(data, picture_plane(case).grid, case.protocol.label_names)
