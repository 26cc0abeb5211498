"""What a series is, in Maskloop's own words."""

from enum import StrEnum


class SeriesKind(StrEnum):
    """What a series is, as far as its header says."""

    T1 = "T1"
    T1_FAT_SUPPRESSED = "fat-suppressed T1"
    T1_ENHANCED = "contrast-enhanced T1"
    T2 = "T2"
    T2_FAT_SUPPRESSED = "fat-suppressed T2"
    UNKNOWN = "not recognised"
