"""Standing of a case: the confirmed saves that count now, and the mask made of exactly these on its images.

Review, releases, snapshots, upkeep and pages all ask here. The newest mask need not be the one that counts: when a save
is deleted again, an earlier mask counts, and a mask on an earlier registration never does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from annotation_backend.cases.models import Case
from annotation_backend.labeling.models import Annotation, CaseMask, Correction, LabelingTask
from annotation_backend.stages.flow import fresh_since
from annotation_backend.stages.models import Reading
from annotation_backend.studies.models import Study
from datasets.files import canonical_json, sha256_of_bytes


@dataclass(frozen=True)
class Standing:
    """The saves and the mask of a case that count.

    Args:
        saves: The confirmed save that counts, by slice index.
        mask: The mask made of these saves on the case's registration; None where there is none (yet).
        labels: Those of the case's protocol.
        corrections: The correction that counts, by slice index, where one does.
    """

    saves: Mapping[int, Annotation]
    mask: CaseMask | None
    labels: Mapping[int, str]
    corrections: Mapping[int, Correction] = field(default_factory=dict)

    @property
    def drawn(self) -> dict[int, datetime]:
        """When each slice that counts was drawn or corrected, by index."""
        saved = {index: save.saved_at for index, save in self.saves.items()}
        return {**saved, **{index: correction.created for index, correction in self.corrections.items()}}

    @property
    def is_to_be_assembled(self) -> bool:
        """Whether the mask of these saves still has to be made, or compared with its saves as they are read now."""
        return bool(self.drawn) and (self.mask is None or not self.mask.is_of_today(self.labels))


def standing_of(case: Case) -> Standing:
    """The standing of one case, as the database has it now."""
    return standings([Case.objects.with_images().get(pk=case.pk)])[case.pk]


def standings(cases: Sequence[Case]) -> dict[int, Standing]:
    """The standing of each of many cases, by their keys; a few queries for all of them.

    Args:
        cases: With their registrations as they are now.
    """
    since = fresh_since(cases)
    saves = counting_saves(cases, since)
    corrections = counting_corrections(cases, saves, since)
    drawn = [case for case in cases if (saves[case.pk] or corrections[case.pk]) and case.is_registered]
    wanted = {case.pk: inputs_digest(case, saves[case.pk].values(), corrections[case.pk]) for case in drawn}
    made = CaseMask.objects.filter(case__in=wanted, inputs_sha256__in=wanted.values())
    masks = {
        (mask.case_id, mask.inputs_sha256): mask
        for mask in made
        if mask.is_on({*saves[mask.case_id], *corrections[mask.case_id]})
    }
    labels = _labels(cases)
    return {
        case.pk: Standing(
            saves[case.pk],
            masks.get((case.pk, wanted.get(case.pk, ""))),
            labels[case.study_id],
            corrections[case.pk],
        )
        for case in cases
    }


def inputs_digest(
    case: Case,
    saves: Collection[Annotation],
    corrections: Mapping[int, Correction] | None = None,
    reading: Reading | None = None,
) -> str:
    """Digest of a mask's inputs: the case's registration, the saves of its slices, and what corrects them.

    Args:
        case: The case.
        saves: One a slice.
        corrections: By slice index.
        reading: The reader whose own mask it is.
    """
    content: dict[str, object] = {
        "registration": case.images_sha256,
        "saves": sorted(save.content_sha256 for save in saves),
        "annotations": sorted(save.label_studio_id for save in saves),
    }
    if corrections:
        content["corrections"] = [[index, corrections[index].sha256] for index in sorted(corrections)]
    if reading is not None:
        content["reading"] = reading.pk
    return sha256_of_bytes(canonical_json(content))


def _labels(cases: Sequence[Case]) -> dict[int, Mapping[int, str]]:
    """By study: the labels of its protocol; one query for all."""
    studies = Study.objects.in_bulk({case.study_id for case in cases})
    return {key: study.protocol.label_names for key, study in studies.items()}


def counting_saves(cases: Sequence[Case], since: Mapping[int, datetime]) -> dict[int, dict[int, Annotation]]:
    """By case and slice: the confirmed save that counts for the case.

    Args:
        cases: The cases.
        since: By case: what was saved before counts no more (`stages.flow.fresh_since`).
    """
    rows = Annotation.objects.filter(task__case__in=[case.pk for case in cases])
    counting = rows.newest_of_each_task()
    places = LabelingTask.objects.filter(pk__in=counting).values_list("pk", "case", "slice_index")
    found: dict[int, dict[int, Annotation]] = {case.pk: {} for case in cases}
    for task, case, index in sorted(places, key=lambda place: place[2]):
        if case not in since or counting[task].saved_at >= since[case]:
            found[case][index] = counting[task]
    return found


def counting_corrections(
    cases: Sequence[Case], saves: Mapping[int, Mapping[int, Annotation]], since: Mapping[int, datetime]
) -> dict[int, dict[int, Correction]]:
    """By case and slice: the newest correction of the save that counts there, or of a slice that nobody saved."""
    found: dict[int, dict[int, Correction]] = {case.pk: {} for case in cases}
    by_key = {case.pk: case for case in cases}
    for correction in Correction.objects.filter(case__in=by_key).order_by("pk"):
        key = correction.case_id
        is_old = key in since and correction.created < since[key]
        if is_old or correction.images_sha256 != by_key[key].images_sha256:
            continue
        for index, digest in correction.replaces.items():
            save = saves[key].get(index)
            if digest == (save.content_sha256 if save is not None else ""):
                found[key][index] = correction
    return found
