"""Training examples of a snapshot: cases in whose approved mask a label occurs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotation_backend.cases.models import Case
from annotation_backend.cases.registration.volumes import case_volumes, picture_plane
from annotation_backend.labeling.models import CaseMask
from annotation_backend.learning.examples.learned_images import label_to_learn, role_of_kind
from annotation_backend.learning.examples.training_examples import TrainingExamples
from annotation_backend.learning.models import Snapshot
from datasets.errors import RejectedInput
from datasets.files import is_unchanged
from datasets.formats.nifti import read_mask
from datasets.image.mask import Mask, label_alone
from datasets.study.splits.external import ExternalCohort
from datasets.study.splits.split_case import SplitCase

if TYPE_CHECKING:
    from training.fitting.examples import Example


def examples_of_snapshot(
    snapshot: Snapshot, kinds: Sequence[str], label: str, *, external: ExternalCohort | None = None
) -> TrainingExamples:
    """The training examples of a snapshot: cases in whose mask the label occurs.

    Args:
        snapshot: The approved masks.
        kinds: Of the images that are learned from.
        label: Name of the label that is learned.
        external: The external cohort that must not be learned from; None for none.

    Raises:
        RejectedInput: No approved mask holds the label (``label-nowhere``), all cases are the external cohort's
            (``external-all``), or the study has no such image or label.
    """
    wanted = _Wanted.of(snapshot, kinds, label)
    entries = {entry["case"]: entry for entry in snapshot.content["cases"]}
    sizes = {case: _mask(entry, wanted).volume_ml for case, entry in entries.items()}
    empty = [case for case, size in sizes.items() if not size]
    if len(empty) == len(entries):
        raise RejectedInput(
            "label-nowhere",
            f"No approved mask holds {label}, so there is nothing to learn from.",
            remedy="Name another label with --label, or approve masks that hold it.",
        )
    found = TrainingExamples(
        cases={case: _split_case(entry) for case, entry in entries.items() if case not in empty},
        load=lambda case: _example(entries[case], wanted),
        images_of=lambda case: case_volumes(Case.objects.get(code=case)).images.values(),
        size_of=lambda case: sizes[case],
        inputs={"snapshot": snapshot.digest},
        findings=tuple(f"{case} is left out: its approved mask holds no {label}." for case in empty),
        leave_out="Or leave cases out: `manage.py exclude_case`.",
    )
    return found.without_external(external)


def _split_case(entry: Mapping[str, Any]) -> SplitCase:
    """What splits are balanced by: the tissue type as it was frozen, the site as it is known now, the drawn image's
    vendor, which cases of earlier versions do not say."""
    case = Case.objects.with_images().prefetch_related("series").get(code=entry["case"])
    drawn = next((row for row in case.series.all() if row.role == case.drawn_role), None)
    return SplitCase(
        entry["case"],
        entry["patient"],
        entry["tissue_type"],
        site=case.anatomical_site,
        vendor="" if drawn is None else str(drawn.evidence.get("vendor", "")),
    )


@dataclass(frozen=True)
class _Wanted:
    """What is read of each case of a snapshot.

    Args:
        roles: Kind of image to its name in the study's protocol.
        label: Name of the label.
    """

    roles: Mapping[str, str]
    label: str

    @classmethod
    def of(cls, snapshot: Snapshot, kinds: Sequence[str], label: str) -> "_Wanted":
        """Finds kinds of images and a label in a study's protocol.

        Raises:
            RejectedInput: The study has no such image (``image-unknown``) or label (``label-unknown``).
        """
        protocol = snapshot.study.protocol
        return cls({kind: role_of_kind(protocol, kind) for kind in kinds}, label_to_learn(protocol, label))


def _example(entry: Mapping[str, Any], wanted: _Wanted) -> "Example":
    """Reads a case of a snapshot: its images by kind, and the wanted label alone.

    Raises:
        RejectedInput: Its mask is gone or was changed (``snapshot-changed``), was drawn on another registration
            (``snapshot-left``), or it lacks one of the images (``case-image-missing``).
    """
    from training.fitting.examples import Example

    case, mask = Case.objects.get(code=entry["case"]), _mask(entry, wanted)
    if case.images_sha256 != entry["registration_sha256"]:
        raise RejectedInput(
            "snapshot-left",
            f"{case.code} was registered again, so its approved mask was drawn on other images.",
            remedy="Have the case reviewed again, and train again.",
        )
    images = case_volumes(case).images
    if missing := sorted({*wanted.roles.values()} - {*images}):
        raise RejectedInput(
            "case-image-missing",
            f"{case.code} has no {' and no '.join(missing)}, and the model is to learn from it.",
            remedy="Name with --channels images that every approved case has.",
        )
    volumes = {kind: images[role] for kind, role in wanted.roles.items()}
    return Example(case.code, case.patient.code, volumes, mask, slice_axis=picture_plane(case).slice_axis)


def _mask(entry: Mapping[str, Any], wanted: _Wanted) -> Mask:
    """The wanted label of a case's approved mask.

    Raises:
        RejectedInput: The mask is gone or was changed (``snapshot-changed``).
    """
    stored = CaseMask.objects.get(pk=entry["mask"])
    if not is_unchanged(stored.path, sha256=entry["mask_sha256"]):
        raise RejectedInput(
            "snapshot-changed",
            f"The approved mask of {entry['case']} is gone or was changed.",
            remedy="Restore the data folder from its backup.",
        )
    return label_alone(read_mask(stored.path, labels=stored.label_names), wanted.label)
