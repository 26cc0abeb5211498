"""The options of a de-identification, a person's choice. All other rules are in the tables."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from pydicom import Dataset

from curation.deidentification.policy.codes import coded
from curation.deidentification.policy.profile import EDITION, Option

BASIC_CODE = ("113100", "Basic Application Confidentiality Profile")

_OPTION_CODES = {
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.SHIFTED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
}


@dataclass(frozen=True)
class Policy:
    """The Basic Profile with these options.

    Args:
        shift_dates: Dates stay, each patient's moved by one number of days; otherwise they are removed.
        keep_characteristics: Age (89 at most, then ``090Y``), sex, size, weight and the like stay.
        keep_safe_private: Private attributes known to hold no identity stay, diffusion weightings among them.
        clean_descriptors: Of descriptions and labels, known words stay (``t2 fat sat``, ``tumour``).
    """

    shift_dates: bool = False
    keep_characteristics: bool = False
    keep_safe_private: bool = False
    clean_descriptors: bool = False

    @property
    def options(self) -> frozenset[Option]:
        """The options that apply."""
        chosen = {
            Option.SHIFTED_DATES: self.shift_dates,
            Option.PATIENT_CHARACTERISTICS: self.keep_characteristics,
            Option.SAFE_PRIVATE: self.keep_safe_private,
            Option.CLEAN_DESCRIPTORS: self.clean_descriptors,
        }
        return frozenset(option for option, applies in chosen.items() if applies)

    def method(self) -> list[str]:
        """The table, its edition and our version, as the de-identification method (0012,0063) names them."""
        return [f"DICOM PS3.15 {EDITION} Table E.1-1", f"Maskloop {_own_version()}"]

    def codes(self) -> list[Dataset]:
        """The profile and the options as items of (0012,0064). Source: DICOM PS3.16, CID 7050."""
        chosen = [BASIC_CODE, *sorted(_OPTION_CODES[option] for option in self.options)]
        return [coded("DCM", value, meaning) for value, meaning in chosen]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON: the method and the options."""
        return {"method": self.method(), "options": sorted(option.value for option in self.options)}

    @property
    def dates(self) -> str:
        """Whether dates were modified or removed, as in (0028,0303)."""
        return "MODIFIED" if self.shift_dates else "REMOVED"


def _own_version() -> str:
    try:
        return version("maskloop")
    except PackageNotFoundError:
        return "unversioned"
