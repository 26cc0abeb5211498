"""An archive of studies in seven vendors' header dialects, whose right answer is known by construction.

Each study has its localizer, its T1 and T2 in question and a handful of other series that hospitals send along, in a
random order, in one of five languages, with times drawn for the field strength; some headers lack fields, some
descriptions are empty or wrong. Of some studies the right answer is to ask. The pictures are blank, the grids real.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from pydicom.uid import generate_uid

from tests.curation.support.vendor_dialects import LANGUAGES, PLANES, VENDORS, Acquisition, Fields, Vendor

ASK = "ask"

_DISTRACTORS = (
    ("t1", "cor"), ("stir", "cor"), ("t2", "sag"), ("t2_fs", "sag"), ("t1_gd", "tra"), ("t1_fs_gd", "tra"),
    ("t1_fs_gd", "cor"), ("t2", "tra"), ("pd_fs", "tra"), ("dwi", "tra"), ("adc", "tra"), ("sub", "tra"),
    ("dyn", "tra"), ("haste", "cor"), ("tof", "tra"), ("t2star", "tra"), ("mpr", "tra"), ("mip", "cor"),
    ("t1_fs", "tra"), ("capture", "tra"),
)  # fmt: skip
_AFTER_CONTRAST = {"t1_gd", "t1_fs_gd", "dyn", "sub"}
_NO_FAT_SATURATION_BELOW_T = 0.6
_DIXON_TYPES = {
    "water": ("W", "WATER"), "fat": ("F", "FAT"), "in": ("IP", "IN_PHASE"), "opposed": ("OP", "OPP_PHASE"),
}  # fmt: skip
_OPTIONAL_FIELDS = (
    "EchoTrainLength", "SequenceName", "SequenceVariant", "MRAcquisitionType", "FlipAngle", "ProtocolName",
)  # fmt: skip


@dataclass
class Study:
    """One patient's study.

    Args:
        patient_id: Made up.
        vendor: Whose dialect.
        scenario: Which of `SCENARIOS`.
        acquisitions: In the order in which they were taken.
        t1: The right T1; None where the right answer is to ask.
        t2: The right T2, likewise.
        is_enhanced: Whether T1 and T2 are written as enhanced multi-frame objects.
        needs_times: Whether its acquisition times must be in the headers for its answer to be right.
    """

    patient_id: str
    vendor: Vendor
    scenario: str
    acquisitions: list[Acquisition]
    t1: Acquisition | None = None
    t2: Acquisition | None = None
    is_enhanced: bool = False
    needs_times: bool = False

    @property
    def is_pairable(self) -> bool:
        """Whether there is a right pair."""
        return self.t1 is not None and self.t2 is not None

    def series_uid(self, acquisition: Acquisition) -> str:
        """UID of one of the study's series."""
        place = next(index for index, one in enumerate(self.acquisitions) if one is acquisition)
        return generate_uid(entropy_srcs=[self.patient_id, str(place)])


class _Draft:
    """Draws a study of one vendor."""

    def __init__(self, random: Random, vendor: Vendor) -> None:
        self.random = random
        self.vendor = vendor
        self.scanner = random.choice(vendor.scanners)
        self.language = random.choice(LANGUAGES)
        self.are_described = random.random() > 0.1

    @property
    def is_low_field(self) -> bool:
        """Whether fat saturation does not work."""
        return self.scanner[2] < _NO_FAT_SATURATION_BELOW_T

    def take(self, kind: str, plane: str = "tra", **changes: Any) -> Acquisition:
        """One series of a kind, in the vendor's dialect."""
        if self.is_low_field:
            kind = {"t2_fs": "stir", "pd_fs": "stir", "t1_fs": "t1_gd", "t1_fs_gd": "t1_gd"}.get(kind, kind)
        if kind == "capture":
            fields: Fields = {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}
            return Acquisition(
                kind, fields | {"SeriesDescription": self.describe(kind, plane)}, slices=1, is_capture=True
            )
        fields = self.vendor.write(kind, self.random, self.scanner[2]) | {
            "SeriesDescription": self.describe(kind, plane)
        }
        if fields.get("_only_described"):
            fields["SeriesDescription"] = self.random.choice(self.vendor.descriptions[kind]).format(p="tra")
        if self.vendor.name != "GE":
            fields["ProtocolName"] = fields["SeriesDescription"]
        is_scout = kind == "localizer"
        made = Acquisition(
            kind, fields, plane="all" if is_scout else plane,
            slices=self.random.choice((3, 5, 7)) if is_scout else self.random.randint(8, 11),
            parts=_parts(kind, self.vendor, self.random), step_mm=20.0 if is_scout else None,
        )  # fmt: skip
        return replace(made, **changes)

    def describe(self, kind: str, plane: str) -> str:
        """A description in the study's language; empty in some studies, but for those that nothing else tells apart."""
        needed = kind in ("t1_gd", "t1_fs_gd", "tof", "mip", "mpr", "sub", "dyn", "t2_fs", "haste")
        if not self.are_described and not needed:
            return ""
        own = self.vendor.descriptions.get(kind, ()) if self.random.random() < 0.6 else ()
        text = self.random.choice(own or self.language[kind])
        return text.format(p=self.random.choice(PLANES.get(plane, ("",))))

    def others(self, *, without: tuple[str, ...] = ()) -> list[Acquisition]:
        """Some of the series that hospitals send along, none of which may be taken for the T1 or the T2."""
        usable = [(kind, plane) for kind, plane in _DISTRACTORS if kind not in without]
        if self.is_low_field:  # a fat-suppressed axial series would be another STIR
            usable = [(kind, plane) for kind, plane in usable if kind not in ("pd_fs", "t2_fs") or plane != "tra"]
        drawn = self.random.sample(usable, self.random.randint(3, 6))
        return [self.take(kind, plane) for kind, plane in drawn]

    def study(self, scenario: str, wanted: list[Acquisition], others: list[Acquisition], **truth: Any) -> Study:
        """The study, in the order in which scanners take series: scout first, contrast agent last."""
        before = [one for one in (*wanted, *others) if one.kind not in _AFTER_CONTRAST]
        self.random.shuffle(before)
        after = [one for one in (*wanted, *others) if one.kind in _AFTER_CONTRAST]
        return Study("", self.vendor, scenario, [self.take("localizer"), *before, *after], **truth)

    def pairable(self, scenario: str, t1: Acquisition, t2: Acquisition, *more: Acquisition, **truth: Any) -> Study:
        """A study with a right pair and distractors."""
        return self.study(scenario, [t1, t2, *more], self.others(), t1=t1, t2=t2, **truth)


def _plain(draft: _Draft) -> Study:
    return draft.pairable("plain", draft.take("t1"), draft.take("t2_fs"))


def _stir(draft: _Draft) -> Study:
    return draft.pairable("stir", draft.take("t1"), draft.take("stir"))


def _dixon(draft: _Draft) -> Study:
    """The water image is the fat-suppressed T2; the four images are one series or four."""
    if not draft.vendor.has_dixon:
        return _stir(draft)
    images = _dixon_images(draft)
    if draft.random.random() < 0.4:
        whole = replace(images[0], parts=tuple(image.fields for image in images), fields=draft.take("t2").fields)
        return draft.pairable("dixon in one", draft.take("t1"), whole)
    return draft.pairable("dixon in four", draft.take("t1"), images[0], *images[1:])


def _misleading(draft: _Draft) -> Study:
    """The T2 is described as a T1, the coronal one as axial: the scanner's own fields say better."""
    t2 = draft.take("stir") if draft.is_low_field else draft.take("t2_fs")
    if t2.fields.get("_only_described"):
        t2.fields["ScanOptions"] = "FS"
    t2.fields["SeriesDescription"] = draft.random.choice(("T1 tse tra", "AX T1", "t1_se_tra_320"))
    coronal = draft.take("t1", "cor")
    coronal.fields["SeriesDescription"] = "T1 tra"
    return draft.pairable("misleading", draft.take("t1"), t2, coronal)


def _sparse(draft: _Draft) -> Study:
    """Fields that scanners or archives leave out are missing from every series."""
    study = draft.pairable("sparse", draft.take("t1"), draft.take("t2_fs"))
    for acquisition in study.acquisitions:
        for name in draft.random.sample(_OPTIONAL_FIELDS, 4):
            acquisition.fields.pop(name, None)
    return study


def _text_only(draft: _Draft) -> Study:
    """De-identification took the times; descriptions are left."""
    draft.are_described = True
    study = draft.pairable("text only", draft.take("t1"), draft.take("t2_fs"))
    for acquisition in study.acquisitions:
        for name in ("RepetitionTime", "EchoTime", "InversionTime", "ScanOptions", "SequenceName", "EchoTrainLength"):
            acquisition.fields.pop(name, None)
    return study


def _broken_off(draft: _Draft) -> Study:
    """The T1 was begun, broken off because the patient moved, and taken again."""
    t1 = draft.take("t1", slices=12, step_mm=5.0)
    return draft.pairable("broken off", t1, draft.take("t2_fs"), replace(t1, slices=5, fields=dict(t1.fields)))


def _enhanced(draft: _Draft) -> Study:
    return draft.pairable("enhanced", draft.take("t1"), draft.take("t2_fs"), is_enhanced=True)


def _second_visit_incomplete(draft: _Draft) -> Study:
    """The patient came again, for a T1 alone."""
    study = _plain(draft)
    study.scenario = "two visits, one complete"
    study.acquisitions.append(draft.take("t1", visit=2))
    return study


def _inversion_t1(draft: _Draft) -> Study:
    """At 3 T the T1 is often an inversion recovery ("T1 FLAIR")."""
    t1 = draft.take("t1")
    sequence = ["SE", "IR"] if draft.random.random() < 0.5 else "IR"
    inverted = {"RepetitionTime": draft.random.uniform(1900, 2800), "InversionTime": draft.random.uniform(650, 1000)}
    t1 = replace(t1, fields=t1.fields | inverted | {"ScanningSequence": sequence})
    return draft.pairable("inversion T1", t1, draft.take("t2_fs"))


def _gradient_t1_beside(draft: _Draft) -> Study:
    """A gradient echo T1 without fat suppression lies beside the spin echo."""
    gradient = draft.take("dyn", parts=({},))
    for name in ("ContrastBolusAgent", "NumberOfTemporalPositions"):
        gradient.fields.pop(name, None)
    gradient.fields.update(ScanOptions="", SeriesDescription="T1 3D GRE tra", ProtocolName="")
    return draft.pairable(
        "gradient echo beside", draft.take("t1"), draft.take("t2_fs"), replace(gradient, kind="t1_gre")
    )


def _late_t1_beside(draft: _Draft) -> Study:
    """A second T1, alike in all but that it was taken after the contrast agent: the first is right."""
    t1, dynamic = draft.take("t1"), draft.take("dyn")
    dynamic.fields["ContrastBolusAgent"] = "Gadovist"
    others = draft.others(without=("t2star", "haste", "dwi", "adc"))
    study = draft.study("late T1 beside", [t1, draft.take("t2_fs"), dynamic], others, t1=t1, t2=None)
    study.t2 = next(one for one in study.acquisitions if one.kind in ("t2_fs", "stir") and one.plane == "tra")
    study.acquisitions.append(replace(t1, kind="t1_gd", fields=dict(t1.fields)))
    study.needs_times = True
    return study


def _dual_echo(draft: _Draft) -> Study:
    """Proton density and T2 as two echoes of one series, without fat suppression, beside the right T2."""
    dual = draft.take("t2", parts=({"EchoTime": 14.0, "EchoNumbers": 1}, {"EchoTime": 88.0, "EchoNumbers": 2}))
    dual.fields["SeriesDescription"] = "PD T2 tra"
    return draft.pairable("dual echo beside", draft.take("t1"), draft.take("t2_fs"), dual)


def _two_t1(draft: _Draft) -> Study:
    t1 = draft.take("t1")
    return draft.study(ASK + ": two T1", [t1, replace(t1, fields=dict(t1.fields)), draft.take("t2_fs")], draft.others())


def _two_t2(draft: _Draft) -> Study:
    return draft.study(ASK + ": two T2", [draft.take("t1"), draft.take("t2_fs"), draft.take("t2_fs")], draft.others())


def _two_t2_unequally_described(draft: _Draft) -> Study:
    bare = draft.take("stir")
    bare.fields["SeriesDescription"] = ""
    return draft.study(ASK + ": T2 and STIR", [draft.take("t1"), draft.take("t2_fs"), bare], draft.others())


def _no_t2(draft: _Draft) -> Study:
    return draft.study(ASK + ": no T2", [draft.take("t1")], draft.others(without=("t2_fs", "stir")))


def _only_enhanced_t1(draft: _Draft) -> Study:
    kind = draft.random.choice(("t1_gd", "t1_fs_gd"))
    return draft.study(
        ASK + ": T1 with contrast", [draft.take(kind), draft.take("t2_fs")], draft.others(without=("t1",))
    )


def _only_enhanced_t1_unsaid(draft: _Draft) -> Study:
    """Nothing but its time says that the T1 was taken after the contrast agent."""
    late = replace(draft.take("t1"), kind="t1_gd")
    dynamic = draft.take("dyn")
    dynamic.fields["ContrastBolusAgent"] = "Gadovist"
    study = draft.study(ASK + ": T1 after contrast", [draft.take("t2_fs"), dynamic], draft.others(without=("t1",)))
    study.acquisitions.append(late)
    study.needs_times = True
    return study


def _only_plain_t2(draft: _Draft) -> Study:
    wanted = [draft.take("t1"), draft.take("t2")]
    return draft.study(ASK + ": T2 without fat suppression", wanted, draft.others(without=("t2_fs", "stir")))


def _only_pd(draft: _Draft) -> Study:
    if draft.is_low_field:
        return _no_t2(draft)
    return draft.study(
        ASK + ": PD only", [draft.take("t1"), draft.take("pd_fs")], draft.others(without=("t2_fs", "stir"))
    )


def _only_coronal(draft: _Draft) -> Study:
    return draft.study(
        ASK + ": coronal T1", [draft.take("t1", "cor"), draft.take("t2_fs")], draft.others(without=("t1",))
    )


def _missing_slice(draft: _Draft) -> Study:
    t2 = draft.take("t2_fs")
    t2.fields["_lost"] = 4
    return draft.study(ASK + ": slice lost", [draft.take("t1"), t2], draft.others(without=("t2_fs", "stir")))


def _burned_in(draft: _Draft) -> Study:
    t1 = draft.take("t1")
    t1.fields["BurnedInAnnotation"] = "YES"
    return draft.study(ASK + ": burned in", [t1, draft.take("t2_fs")], draft.others(without=("t1",)))


def _other_station(draft: _Draft) -> Study:
    t2 = draft.take("t2_fs")
    t2.fields["_shift"] = 150.0
    return draft.study(ASK + ": other station", [draft.take("t1"), t2], draft.others(without=("t2_fs", "stir")))


def _two_visits(draft: _Draft) -> Study:
    first = [draft.take("t1"), draft.take("t2_fs")]
    study = draft.study(ASK + ": two visits", first, draft.others())
    study.acquisitions += [draft.take("localizer", visit=2), draft.take("t1", visit=2), draft.take("t2_fs", visit=2)]
    return study


def _only_fat_suppressed_t1(draft: _Draft) -> Study:
    if draft.is_low_field:
        return _only_enhanced_t1(draft)
    wanted = [draft.take("t1_fs"), draft.take("t2_fs")]
    return draft.study(ASK + ": fat-suppressed T1", wanted, draft.others(without=("t1",)))


def _only_opposed_phase(draft: _Draft) -> Study:
    """Of a Dixon measurement all but the water image is there."""
    if not draft.vendor.has_dixon:
        return _no_t2(draft)
    images = _dixon_images(draft)[1:]
    return draft.study(
        ASK + ": Dixon without water", [draft.take("t1"), *images], draft.others(without=("t2_fs", "stir"))
    )


PAIRABLE: tuple[Callable[[_Draft], Study], ...] = (
    _plain, _stir, _dixon, _misleading, _sparse, _text_only, _broken_off, _enhanced, _second_visit_incomplete,
    _inversion_t1, _gradient_t1_beside, _late_t1_beside, _dual_echo,
)  # fmt: skip
TO_ASK: tuple[Callable[[_Draft], Study], ...] = (
    _two_t1, _two_t2, _two_t2_unequally_described, _no_t2, _only_enhanced_t1, _only_enhanced_t1_unsaid, _only_plain_t2,
    _only_pd, _only_coronal, _missing_slice, _burned_in, _other_station, _two_visits, _only_fat_suppressed_t1,
    _only_opposed_phase,
)  # fmt: skip


def draw_studies(seed: int, *, of_vendor: int = len(PAIRABLE)) -> list[Study]:
    """Studies of every vendor, and every study to ask about of a random vendor.

    Args:
        seed: Of everything drawn.
        of_vendor: How many of the pairable scenarios each vendor gets.
    """
    random = Random(seed)
    studies = [
        scenario(_Draft(random, vendor)) for vendor in VENDORS for scenario in random.sample(PAIRABLE, of_vendor)
    ] + [scenario(_Draft(random, random.choice(VENDORS))) for scenario in TO_ASK]
    random.shuffle(studies)
    for number, study in enumerate(studies):
        study.patient_id = f"ARCHIVE-{seed}-{number:03d}"
    return studies


def _parts(kind: str, vendor: Vendor, random: Random) -> tuple[Fields, ...]:
    if kind == "dwi" and (vendor.name == "Philips" or random.random() < 0.5):
        return tuple({"DiffusionBValue": float(value)} for value in (0, 400, 800))
    if kind == "dyn" and random.random() < 0.5:
        return tuple({"TemporalPositionIdentifier": place, "NumberOfTemporalPositions": 3} for place in (1, 2, 3))
    return ({},)


def _dixon_images(draft: _Draft) -> list[Acquisition]:
    """Water, fat, in phase and opposed phase, as the vendor names them: image type and description."""
    made = draft.take("t2")
    prefix = made.fields["SeriesDescription"] or "T2 dixon"
    images = []
    for image, (letter, word) in _DIXON_TYPES.items():
        image_type, description = {
            "Philips": (["DERIVED", "PRIMARY", letter, letter, "DERIVED"], f"{prefix} mDIXON"),
            "GE": (["DERIVED", "PRIMARY", "DIXON", word], f"{word}: {prefix}"),
            "Canon": (["ORIGINAL", "PRIMARY", word], f"{prefix} WFS {image}"),
            "Hitachi": (["ORIGINAL", "PRIMARY", word], f"{prefix} FatSep {image}"),
        }.get(draft.vendor.name, (["DERIVED", "PRIMARY", "DIXON", word], f"{prefix}_dixon_{letter}"))
        fields = made.fields | {"ImageType": image_type, "SeriesDescription": description}
        images.append(replace(made, kind="t2_dixon", fields=fields))
    return images
