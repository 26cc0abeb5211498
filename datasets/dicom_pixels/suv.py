"""From a PET's stored units to SUVbw: activity per gram of the patient, over the dose that is left when it is scanned.

    SUVbw = value x weight in g / (dose x 2^(-decay time / half-life))

The factor is one for a series; each slice's own rescale comes before it. What cannot be calculated is refused with the
names of the attributes that are missing, never given as Bq/ml.

Source: QIBA Profile FDG-PET/CT as an Imaging Biomarker, appendix on vendor-neutral pseudo-code for SUV; DICOM
PS3.3 C.8.9.1.1.3 (Units), C.8.9.1.1.6 (Decay Correction).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from datasets.dicom.pet_header import Moment, PetFacts
from datasets.dicom_pixels.pet_refusals import ANOTHER, require
from datasets.dicom_pixels.suv_times import decay_time, scan_time
from datasets.errors import RejectedInput
from datasets.finding import Finding

_PLAUSIBLE_DOSE_BQ = (1e5, 1e11)
_PLAUSIBLE_WEIGHT_KG = (0.01, 700.0)

UNITS = "Units (0054,1001)"
CORRECTED = "Corrected Image (0028,0051)"
DECAY_CORRECTION = "Decay Correction (0054,1102)"
WEIGHT = "Patient's Weight (0010,1030)"
ISOTOPE = "Radiopharmaceutical Information Sequence (0054,0016)"
DOSE = "Radionuclide Total Dose (0018,1074)"
HALF_LIFE = "Radionuclide Half Life (0018,1075)"
PHILIPS = "Philips' SUV Factor (7053,xx00) or Activity Concentration Factor (7053,xx09)"


@dataclass(frozen=True)
class SuvScale:
    """What makes a series' rescaled values SUVbw.

    Args:
        factor: They are multiplied by it.
        source: How it was found: ``units`` (they are SUV already), ``philips-suv-factor``, ``administration``
            (values are corrected to the injection), ``series-time``, ``ge-scan-time``, ``frame-reference-time``,
            ``decay-correction-time``; before the last five, ``philips-activity-factor`` and a plus where counts were
            made Bq/ml by it.
        findings: Warnings.
    """

    factor: float
    source: str
    findings: tuple[Finding, ...] = ()


def suv_scale(slices: Sequence[PetFacts], *, what: str) -> SuvScale:
    """The factor of a series.

    Args:
        slices: Facts of every slice, at least one.
        what: How a refusal calls the series.

    Raises:
        RejectedInput: ``pet-header-incomplete`` (the message names the attributes that are missing, empty or zero),
            ``pet-headers-differ``, ``pet-units``, ``pet-suv-type``, ``pet-not-attenuation-corrected``,
            ``pet-not-decay-corrected``, ``pet-several-tracers``, ``pet-implausible``, ``pet-scan-time``,
            ``pet-start-times-differ``, ``pet-injection-time`` or ``pet-times-removed``.
    """
    facts = slices[0]
    if any(_of_series(one) != _of_series(facts) for one in slices):
        message = f"The slices of {what} differ in what makes values SUV: weight, dose, units or times."
        raise RejectedInput("pet-headers-differ", message, remedy="Export each acquisition as its own series.")
    if facts.units == "GML":
        return _of_suv(facts, what)
    if facts.units == "BQML":
        return _of_activity(slices, what)
    if facts.units == "CNTS":
        return _of_counts(slices, what)
    require({UNITS: facts.units}, what)
    raise RejectedInput(
        "pet-units",
        f"Expected values of {what} in BQML, GML or CNTS, got other units ({UNITS}).",
        remedy=ANOTHER,
    )


def _of_series(facts: PetFacts) -> PetFacts:
    """The facts that all slices share."""
    return replace(facts, acquired=Moment(), frame_reference_s=None, frame_duration_s=None)


def _of_suv(facts: PetFacts, what: str) -> SuvScale:
    """Values are SUV; by body weight where the type is not said (DICOM PS3.3 C.8.9.1.1.3)."""
    if facts.suv_type not in ("", "BW"):
        message = f"The values of {what} are SUV by something else than body weight (SUV Type (0054,1006))."
        raise RejectedInput("pet-suv-type", message, remedy=ANOTHER)
    return SuvScale(1.0, "units")


def _of_counts(slices: Sequence[PetFacts], what: str) -> SuvScale:
    facts = slices[0]
    if (facts.philips_suv or 0.0) > 0.0:
        require({CORRECTED: facts.corrected}, what)
        _require_attenuation(facts, what)
        return SuvScale(facts.philips_suv or 0.0, "philips-suv-factor")
    activity = facts.philips_activity or 0.0
    if activity <= 0.0:
        require({PHILIPS: None}, what)
    found = _of_activity(slices, what)
    return replace(found, factor=found.factor * activity, source=f"philips-activity-factor+{found.source}")


def _of_activity(slices: Sequence[PetFacts], what: str) -> SuvScale:
    facts = slices[0]
    to_time = bool(facts.decay_corrected_to.seconds)
    is_at_injection = facts.decay_correction == "ADMIN"
    require(
        {
            CORRECTED: facts.corrected,
            DECAY_CORRECTION: facts.decay_correction or to_time,
            WEIGHT: facts.weight_kg,
            ISOTOPE: facts.radiopharmaceuticals,
            DOSE: facts.dose_bq if facts.radiopharmaceuticals else True,
            HALF_LIFE: facts.half_life_s if facts.radiopharmaceuticals and not is_at_injection else True,
        },
        what,
    )
    _require_attenuation(facts, what)
    if "DECY" not in facts.corrected or facts.decay_correction not in ("", "START", "ADMIN"):
        message = f"The values of {what} are not corrected for decay, or to no known time ({DECAY_CORRECTION})."
        raise RejectedInput("pet-not-decay-corrected", message, remedy=ANOTHER)
    if facts.radiopharmaceuticals > 1:
        message = f"The header of {what} describes {facts.radiopharmaceuticals} radiopharmaceuticals ({ISOTOPE})."
        raise RejectedInput("pet-several-tracers", message, remedy=ANOTHER)
    _require_plausible(facts, what)
    whole = (facts.weight_kg or 0.0) * 1000.0 / (facts.dose_bq or 1.0)
    if is_at_injection:
        return SuvScale(whole, "administration")
    scan, source = scan_time(slices, what)
    decay, findings = decay_time(facts, scan, what)
    return SuvScale(whole * 2.0 ** (decay / (facts.half_life_s or 1.0)), source, findings)


def _require_attenuation(facts: PetFacts, what: str) -> None:
    if "ATTN" not in facts.corrected:
        message = f"The values of {what} are not corrected for attenuation ({CORRECTED})."
        raise RejectedInput("pet-not-attenuation-corrected", message, remedy=ANOTHER)


def _require_plausible(facts: PetFacts, what: str) -> None:
    known = {DOSE: (facts.dose_bq, _PLAUSIBLE_DOSE_BQ, "Bq"), WEIGHT: (facts.weight_kg, _PLAUSIBLE_WEIGHT_KG, "kg")}
    for name, (value, (low, high), unit) in known.items():
        if not low <= (value or 0.0) <= high:
            raise RejectedInput(
                "pet-implausible",
                f"Expected {name} of {what} between {low:g} and {high:g} {unit}; it may be in another unit.",
                remedy="Correct the header, or give the image in SUV as NIfTI.",
            )
