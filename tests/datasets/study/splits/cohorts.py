"""Cases of a made-up collection for tests of splits."""

from datasets.study.splits.split_case import SplitCase

TYPES = ("fat",) * 10 + ("myxoid",) * 9 + ("fibrous",) * 9 + ("nerve",) * 3 + ("vascular",) * 2 + ("bone",)
SITES = ("thigh, left", "thigh, right", "thigh", "pelvis", "arm")


def collection(*, a_patient: int = 1) -> list[SplitCase]:
    """34 cases of six tissue types, one of them of one case, and three sites.

    Args:
        a_patient: How many cases follow each other that are of one patient.
    """
    return [
        SplitCase(
            f"C{number:04d}",
            f"P{number // a_patient:04d}",
            kind,
            site=SITES[number * 3 % 5],
            size_ml=float((number * 13) % 34 + 1),
            vendor=("siemens", "ge", "philips")[number % 3],
        )
        for number, kind in enumerate(TYPES)
    ]
