"""The series of one patient judged: one by one by their headers, then beside each other, study by study."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from curation.scanning.found_series import FoundSeries
from curation.series.header_physics import image_type_words
from curation.series.judgement import REFUSED, Judgement, Reason
from curation.series.kind import KIND_OF_REFUSAL, SeriesKind
from curation.series.kind_of_series import kind_of
from curation.series.preferences import better_ones
from curation.series.role_rules import NOT_ENHANCED, judge
from curation.series.signs import is_contrast_enhanced
from datasets.dicom.header import Plane
from datasets.dicom_series.relations import same_acquisition
from datasets.errors import RejectedInput
from datasets.image.overlap import share_inside
from datasets.study.protocol import ImageRole, Modality, Protocol, Wanted, Weighting

BESIDE_A_BETTER_ONE = -8
"""Points of a series beside which there is a plainly better one of its kind: more than the evidence of two series that
are both right may differ by, and `curation.pairing.pairing.MARGIN` on top."""

INCOMPLETE_BELOW = 0.7
"""A repeat that covers less than this share of another with the same pixels was broken off."""

_CONTAINED = 0.9
_MOSTLY = 0.5


@dataclass(frozen=True)
class JudgedSeries:
    """One series with its kind and its judgement in each role."""

    series: FoundSeries
    kind: SeriesKind
    judgements: Mapping[str, Judgement]

    def fits(self, role: str) -> bool:
        """Whether it may be chosen for the role."""
        return self.judgements[role].is_plausible and (self.series.named_role or role) == role

    def enhanced_by_times(self, role: str) -> "JudgedSeries":
        """This series where the order of times says that it shows a contrast agent, which its own header does not."""
        judgement = self.judgements[role].without(NOT_ENHANCED)
        after = Reason(3, "taken after a contrast agent was given")
        return replace(self, judgements={**self.judgements, role: judgement.and_also(after)})

    def and_also(self, role: str, reason: Reason) -> "JudgedSeries":
        """This series with a further reason in one role, which may also say what kind it is."""
        return replace(
            self,
            kind=KIND_OF_REFUSAL.get(reason.refusal, self.kind),
            judgements={**self.judgements, role: self.judgements[role].and_also(reason)},
        )

    @cached_property
    def unsound(self) -> RejectedInput | None:
        """Why it is no sound stack of slices; None where it is one."""
        try:
            _ = self.series.grid
        except RejectedInput as error:
            return error
        return None


def judge_patient(series: Sequence[FoundSeries], protocol: Protocol) -> list[JudgedSeries]:
    """Every series of one patient with its kind and its points in every role, in the order given."""
    modalities = tuple(dict.fromkeys(image.modality for image in protocol.images))
    judged = [
        JudgedSeries(
            found,
            kind_of(found.evidence, modalities),
            {image.name: judge(found.evidence, image) for image in protocol.images},
        )
        for found in series
    ]
    for image in protocol.images:
        for rule in _BESIDE_EACH_OTHER:
            for index, reason in rule(judged, image):
                judged[index] = judged[index].and_also(image.name, reason)
        for index in _shown_by_times(judged, image):
            judged[index] = judged[index].enhanced_by_times(image.name)
    return judged


_Additions = Iterator[tuple[int, Reason]]


def _of_studies(judged: Sequence[JudgedSeries]) -> list[list[int]]:
    """The places of the series of each study."""
    studies: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(judged):
        studies[one.series.study_key].append(index)
    return list(studies.values())


def _several_planes(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """Refuses a series of several planes: it is a localizer."""
    planes: dict[str, set[Plane]] = defaultdict(set)
    for one in judged:
        if one.series.dicom is not None:
            planes[one.series.dicom.series_uid].add(one.series.evidence.plane)
    for index, one in enumerate(judged):
        is_known = "localizer" in one.judgements[image.name].refusals
        if one.series.dicom is not None and len(planes[one.series.dicom.series_uid]) > 1 and not is_known:
            yield index, Reason(REFUSED, "localizer: one series of several planes", "localizer")


def _diffusion(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """A b-value of zero, where other series of the study give none: the images without weighting of a diffusion series.

    They are echo-planar, T2-weighted and fat-suppressed, and Philips' classic headers call them spin echoes.
    """
    for study in _of_studies(judged):
        gives = {index for index in study if judged[index].series.evidence.b_value is not None}
        if len(gives) < len(study):
            for index in gives:
                if judged[index].fits(image.name):
                    yield index, Reason(REFUSED, "diffusion: a b-value of zero beside series without", "diffusion")


def _after_contrast(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """A T1 taken after a contrast agent was given shows it, whether or not its own header says so."""
    if image.weighting is not Weighting.T1 or image.contrast is not Wanted.REFUSE:
        return
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(image.name)]
        yield from _without_localizer(judged, study, fitting)
        for index in _taken_after(judged, study):
            if judged[index].fits(image.name):
                yield index, Reason(REFUSED, "taken after a contrast agent was given", "contrast-enhanced")


def _shown_by_times(judged: Sequence[JudgedSeries], image: ImageRole) -> list[int]:
    """The T1 images that show a contrast agent by the order of times alone, for a role that requires one."""
    if image.weighting is not Weighting.T1 or image.contrast is not Wanted.REQUIRE:
        return []
    found: list[int] = []
    for study in _of_studies(judged):
        unsaid = [index for index in study if judged[index].judgements[image.name].refusals == (NOT_ENHANCED,)]
        sure = [index for index, why in _without_localizer(judged, study, unsaid) if why.refusal == "contrast-enhanced"]
        found += {*sure, *(index for index in _taken_after(judged, study) if index in unsaid)}
    return found


def _taken_after(judged: Sequence[JudgedSeries], study: list[int]) -> Iterator[int]:
    """The series of a study that were taken after a contrast agent was given."""
    given = _agent_given([judged[index] for index in study])
    for index in study:
        time = judged[index].series.acquired
        if given is not None and time is not None and time > given:
            yield index


def _agent_given(study: list[JudgedSeries]) -> datetime | None:
    """When the first series with contrast agent was taken; None where none was, or the times cannot be trusted.

    They can be where their order is plausible: the examination begins with its localizer, and everything that is
    neither T1-weighted nor contrast-enhanced comes before the contrast agent.
    """
    times = [(one, time) for one in study if (time := one.series.acquired) is not None]
    given = min((time for one, time in times if _shows_agent(one)), default=None)
    scouts = [time for one, time in times if one.kind is SeriesKind.LOCALIZER]
    if given is None or not scouts or min(scouts) > min(time for _, time in times):
        return None
    others = [time for one, time in times if one.kind in _BEFORE_CONTRAST and not _shows_agent(one)]
    return given if others and max(others) < given else None


def _without_localizer(judged: Sequence[JudgedSeries], study: list[int], asked: list[int]) -> _Additions:
    """Where no localizer came along, times and series numbers must both say whether a T1 is older than the agent.

    Args:
        judged: All series of the patient.
        study: Places of those of one study.
        asked: Of these, the T1 images in question.
    """
    if any(judged[index].kind is SeriesKind.LOCALIZER for index in study):
        return
    agents = [judged[index] for index in study if _shows_agent(judged[index])]
    given = min((time for one in agents if (time := one.series.acquired) is not None), default=None)
    number = min((one.series.evidence.series_number or 0 for one in agents), default=0)
    for index in asked if agents else ():
        time, own_number = judged[index].series.acquired, judged[index].series.evidence.series_number
        signs = {time > given} if time and given and time != given else set()
        signs |= {own_number > number} if own_number and number else set()
        if signs == {True} and time and given and time > given:
            yield index, Reason(REFUSED, "taken after a contrast agent was given", "contrast-enhanced")
        elif True in signs:
            yield index, Reason(REFUSED, "perhaps taken after a contrast agent was given", "perhaps-enhanced")


_BEFORE_CONTRAST = frozenset(
    {SeriesKind.LOCALIZER, SeriesKind.T2, SeriesKind.T2_FAT_SUPPRESSED, SeriesKind.PROTON_DENSITY, SeriesKind.T2_STAR}
)


def _shows_agent(one: JudgedSeries) -> bool:
    return is_contrast_enhanced(one.series.evidence) and one.series.evidence.image_type[:1] != ("DERIVED",)


def _preferences(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    for words, is_better in better_ones(image):
        for study in _of_studies(judged):
            fitting = [index for index in study if judged[index].fits(image.name)]
            better = [index for index in fitting if is_better(judged[index].series.evidence)]
            for index in fitting:
                if index not in better and any(_shows_as_much(judged[other], judged[index]) for other in better):
                    yield index, Reason(BESIDE_A_BETTER_ONE, words)


def _shows_as_much(one: JudgedSeries, other: JudgedSeries) -> bool:
    """Whether a CT or PET shows what another shows: one examination may have the thorax for the lung, the rest not."""
    frames = {one.series.frame_of_reference, other.series.frame_of_reference}
    is_known = len(frames) == 1 and "" not in frames and one.unsound is None and other.unsound is None
    if one.series.evidence.modality not in (Modality.CT, Modality.PET) or not is_known:
        return True
    return share_inside(other.series.grid, one.series.grid) >= _MOSTLY


def _broken_off(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """A shorter stack inside a longer one with the same pixels is a repeat that was broken off."""
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(image.name) and judged[index].unsound is None]
        for index in fitting:
            if any(_is_part_of(judged[index].series, judged[other].series) for other in fitting if other != index):
                yield index, Reason(BESIDE_A_BETTER_ONE, "covers a part of what another with the same pixels covers")


def _is_part_of(one: FoundSeries, whole: FoundSeries) -> bool:
    if not one.frame_of_reference or one.frame_of_reference != whole.frame_of_reference:
        return False
    small, large = one.grid, whole.grid
    same_pixels = small.shape[:2] == large.shape[:2] and small.spacing[:2] == large.spacing[:2]
    is_shorter = small.shape[2] * small.spacing[2] < INCOMPLETE_BELOW * large.shape[2] * large.spacing[2]
    return same_pixels and is_shorter and share_inside(small, large) >= _CONTAINED


def _copies(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """The same images once as classic and once as enhanced DICOM are one candidate: the one that comes first."""
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(image.name)]
        for place, index in enumerate(fitting):
            dicom = judged[index].series.dicom
            earlier = [judged[other].series.dicom for other in fitting[:place]]
            if dicom is not None and any(other is not None and same_acquisition(other, dicom) for other in earlier):
                yield index, Reason(BESIDE_A_BETTER_ONE, "the same images as another series")


_CORRECTIONS = frozenset({"DIS2D", "DIS3D", "NORM"})
"""Siemens' words for corrected distortion and brightness; scanners may send the images with and without."""


def _uncorrected(judged: Sequence[JudgedSeries], image: ImageRole) -> _Additions:
    """Of two reconstructions of one measurement, the one with fewer corrections stands back."""
    for study in _of_studies(judged):
        fitting = [index for index in study if judged[index].fits(image.name) and judged[index].unsound is None]
        for index in fitting:
            one = judged[index].series
            if any(_is_better_corrected(judged[other].series, one) for other in fitting if other != index):
                yield index, Reason(BESIDE_A_BETTER_ONE, "uncorrected beside the same measurement corrected")


def _is_better_corrected(one: FoundSeries, other: FoundSeries) -> bool:
    more, fewer = (_CORRECTIONS & image_type_words(series.evidence) for series in (one, other))
    times = [(series.evidence.repetition_time_ms, series.evidence.echo_time_ms) for series in (one, other)]
    is_same = one.acquired is not None and one.acquired == other.acquired and times[0] == times[1]
    return is_same and fewer < more and one.grid.matches(other.grid)


_BESIDE_EACH_OTHER = (
    _several_planes, _diffusion, _after_contrast, _preferences, _broken_off, _copies, _uncorrected,
)  # fmt: skip
"""Rules over the series of a patient, in this order: a later one takes only what the earlier ones left."""
