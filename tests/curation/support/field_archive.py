"""An archive of CT and PET-CT studies with what hospitals send along, whose right answer is known by construction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.curation.support.field_dialects import VENDORS, CtRoom
from tests.curation.support.vendor_archive import ASK, Study
from tests.curation.support.vendor_dialects import Acquisition, Vendor

Scenario = Callable[[CtRoom], "FieldStudy"]


@dataclass
class FieldStudy(Study):
    """One patient's study.

    Args:
        right: Role to the right series; {} where the right answer is to ask.
    """

    right: Mapping[str, Acquisition] = field(default_factory=dict)


def draw_ct_studies(seed: int, *, of_vendor: int = 6) -> list[FieldStudy]:
    """Studies of CT alone, for the protocol ``ct``."""
    return _drawn(seed, "CT", of_vendor, _CT, _CT_ASK)


def draw_pet_studies(seed: int, *, of_vendor: int = 6) -> list[FieldStudy]:
    """Studies of PET-CT, for the protocol ``pet-ct``."""
    return _drawn(seed, "PET", of_vendor, _PET, _PET_ASK)


def _drawn(
    seed: int, name: str, of_vendor: int, sure: tuple[Scenario, ...], to_ask: tuple[Scenario, ...]
) -> list[FieldStudy]:
    random = Random(f"{name} {seed}")
    studies = [
        scenario(CtRoom(random, vendor))
        for vendor in VENDORS
        for scenario in random.sample(sure, min(of_vendor, len(sure)))
    ] + [scenario(CtRoom(random, random.choice(VENDORS))) for scenario in to_ask for _ in range(2)]
    random.shuffle(studies)
    for number, study in enumerate(studies):
        study.patient_id = f"{name}ARCHIVE-{seed}-{number:03d}"
    return studies


def _study(
    room: CtRoom, scenario: str, *series: Acquisition, right: Mapping[str, Acquisition] | None = None
) -> FieldStudy:
    vendor = Vendor(room.vendor.name, ((room.vendor.name, room.vendor.model, 0.0),), lambda *_: {})
    acquisitions = list(series)
    room.random.shuffle(acquisitions)
    scout = room.ct("scout")
    return FieldStudy("", vendor, scenario, [scout, *acquisitions], right=right or {})


def _beside(room: CtRoom) -> list[Acquisition]:
    """What hospitals send along with a CT."""
    usable = [
        room.ct("reformat", "cor"), room.ct("reformat", "sag"), room.ct("report"), room.ct("mip"), room.ct("vrt"),
        room.ct("monitoring"), room.ct("monitoring", slices=1), room.ct("iodine"), room.ct("scout"),
        room.ct("soft", "cor", said="reformat"), room.ct("lung"), room.ct("bone"),
    ]  # fmt: skip
    return room.random.sample(usable, room.random.randint(3, 7))


def _beside_pet(room: CtRoom) -> list[Acquisition]:
    usable = [
        room.pet("nac"), room.pet("mip"), room.pet("fused"), room.pet("statistics"), room.pet("gated"),
        room.ct("report"), room.ct("lung", said="lung"), room.ct("reformat", "cor"), room.ct("mip"), room.ct("scout"),
    ]  # fmt: skip
    return room.random.sample(usable, room.random.randint(3, 6))


def _plain(room: CtRoom) -> FieldStudy:
    soft = room.ct(room.random.choice(("soft", "soft_gd")))
    return _study(room, "plain", soft, *_beside(room), right={"ct": soft})


def _with_lung_and_bone(room: CtRoom) -> FieldStudy:
    soft = room.ct("soft")
    return _study(room, "lung and bone", soft, room.ct("lung"), room.ct("bone"), *_beside(room), right={"ct": soft})


def _kernel_unsaid(room: CtRoom) -> FieldStudy:
    """De-identification took the kernels; descriptions are left."""
    room.are_described = True
    soft, lung, bone = room.ct("soft"), room.ct("lung"), room.ct("bone")
    beside = [one for one in _beside(room) if one.kind not in ("lung", "bone")]
    for one in (soft, lung, bone, *beside):
        one.fields.pop("ConvolutionKernel", None)
    return _study(room, "kernel unsaid", soft, lung, bone, *beside, right={"ct": soft})


def _alone(room: CtRoom) -> FieldStudy:
    soft = room.ct("soft")
    return _study(room, "alone", soft, right={"ct": soft})


def _broken_off(room: CtRoom) -> FieldStudy:
    """The scan was begun twice."""
    soft = room.ct("soft", slices=14)
    short = replace(soft, fields=dict(soft.fields), slices=6)
    return _study(room, "broken off", soft, short, *_beside(room), right={"ct": soft})


def _beside_pet_of_the_day(room: CtRoom) -> FieldStudy:
    soft = room.ct("soft", said="ac")
    return _study(room, "PET beside", soft, room.pet(), room.pet("nac"), *_beside(room), right={"ct": soft})


def _two_phases(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": two phases", room.ct("soft"), room.ct("soft_gd"), *_beside(room))


def _thin_and_thick(room: CtRoom) -> FieldStudy:
    thick = room.ct("soft", slices=12, step_mm=5.0)
    thin = replace(thick, fields=dict(thick.fields), slices=48, step_mm=1.25)
    return _study(room, ASK + ": thin and thick", thick, thin, *_beside(room))


def _two_ct_visits(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": two visits", room.ct("soft"), room.ct("soft", visit=2), *_beside(room))


def _no_axial(room: CtRoom) -> FieldStudy:
    beside = [one for one in _beside(room) if one.kind not in ("lung", "bone")]
    return _study(room, ASK + ": no axial CT", room.ct("soft", "cor", said="reformat"), *beside)


def _only_maps(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": maps only", room.ct("iodine"), room.ct("mip"), room.ct("report"))


def _other_part(room: CtRoom) -> FieldStudy:
    """The thorax was reconstructed for the lung alone, the pelvis for soft tissue: who knows where the tumour is?"""
    lung = room.ct("lung")
    lung.fields["_shift"] = 300.0
    return _study(room, ASK + ": lung elsewhere", lung, room.ct("soft"), room.ct("report"))


def _plain_pet(room: CtRoom) -> FieldStudy:
    ct, pet = room.ct("soft", said="ac"), room.pet()
    return _study(room, "plain", ct, pet, *_beside_pet(room), right={"ct": ct, "pet": pet})


def _nac_and_lung(room: CtRoom) -> FieldStudy:
    ct, pet = room.ct("soft", said="ac"), room.pet()
    series = (ct, pet, room.pet("nac"), room.ct("lung"), *_beside_pet(room))
    return _study(room, "NAC and lung", *series, right={"ct": ct, "pet": pet})


def _diagnostic_part(room: CtRoom) -> FieldStudy:
    """A CT of one region after contrast agent beside the one of the whole body."""
    ct, pet = room.ct("soft", said="ac", slices=16), room.pet(slices=16)
    part = room.ct("soft_gd", slices=6)
    series = (ct, pet, part, *_beside_pet(room))
    return _study(room, "diagnostic part", *series, right={"ct": ct, "pet": pet})


def _pet_of_another_day(room: CtRoom) -> FieldStudy:
    """A PET of another visit whose CT did not come along."""
    ct, pet = room.ct("soft", said="ac"), room.pet()
    series = (ct, pet, room.pet(visit=2), *_beside_pet(room))
    return _study(room, "PET of another day", *series, right={"ct": ct, "pet": pet})


def _dynamic_beside(room: CtRoom) -> FieldStudy:
    ct, pet = room.ct("soft", said="ac"), room.pet()
    series = (ct, pet, room.pet("dynamic"), room.pet("gated"), *_beside_pet(room))
    return _study(room, "dynamic beside", *series, right={"ct": ct, "pet": pet})


def _pet_visits(room: CtRoom) -> FieldStudy:
    first, second = (room.ct("soft", said="ac"), room.pet()), (room.ct("soft", visit=2), room.pet(visit=2))
    return _study(room, ASK + ": two visits", *first, *second, *_beside_pet(room))


def _only_nac(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": NAC only", room.ct("soft", said="ac"), room.pet("nac"), room.ct("report"))


def _other_frame(room: CtRoom) -> FieldStudy:
    pet = room.pet()
    pet.fields["FrameOfReferenceUID"] = "2.25.4711"
    return _study(room, ASK + ": another frame", room.ct("soft", said="ac"), pet, room.ct("report"))


def _two_pets(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": two PET", room.ct("soft", said="ac"), room.pet(), room.pet(), room.ct("report"))


def _no_pet(room: CtRoom) -> FieldStudy:
    return _study(room, ASK + ": no PET", room.ct("soft"), room.pet("mip"), room.pet("fused"), room.ct("lung"))


_CT: tuple[Scenario, ...] = (
    _plain, _with_lung_and_bone, _kernel_unsaid, _alone, _broken_off, _beside_pet_of_the_day,
)  # fmt: skip
_CT_ASK: tuple[Scenario, ...] = (_two_phases, _thin_and_thick, _two_ct_visits, _no_axial, _only_maps, _other_part)
_PET: tuple[Scenario, ...] = (_plain_pet, _nac_and_lung, _diagnostic_part, _pet_of_another_day, _dynamic_beside)
_PET_ASK: tuple[Scenario, ...] = (_pet_visits, _only_nac, _other_frame, _two_pets, _no_pet)
