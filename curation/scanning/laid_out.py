"""What the lists of datasets in a folder say of its files, before anybody looks at them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from curation.scanning.case_table import CaseDescription
from curation.scanning.table_files import NamedFile
from datasets.finding import Finding


@dataclass(frozen=True)
class MaskMeaning:
    """What the values of one mask file mean in the study.

    Args:
        labels: Value to the study's label; several values may have one.
        left_out: Values that a person left out.
        may_be_empty: Whether it is rightly empty.
    """

    labels: Mapping[int, str] = field(repr=False)
    left_out: frozenset[int] = frozenset()
    may_be_empty: bool = False


@dataclass(frozen=True)
class LaidOut:
    """What lists say of a folder's files. Paths are below the folder, with ``/``.

    Args:
        files: Path to what is in the file: one entry, or one a channel.
        left_out: Paths of files that are none of the study's images or masks.
        findings: Images without a role, files that are missing.
        meanings: Path of a mask to what its values mean, where that is settled.
        renamed: Name of a region of DICOM masks, as `plain_name` writes it, to the study's label; empty where a person
            left it out.
        descriptions: Patient to tissue type and site.
        visits: Patient and visit to the same, of patients whose cases are told apart; a case is to be made of each.
        former: Patient to their name in earlier versions, where that was another.
        only: Paths of the files that are looked at; None for all.
        has_own_table: Whether a `cases.csv` at the top is no table of ours.
    """

    files: Mapping[str, tuple[NamedFile, ...]] = field(default_factory=dict, repr=False)
    left_out: frozenset[str] = field(default=frozenset(), repr=False)
    findings: tuple[Finding, ...] = ()
    meanings: Mapping[str, MaskMeaning] = field(default_factory=dict, repr=False)
    renamed: Mapping[str, str] = field(default_factory=dict, repr=False)
    descriptions: Mapping[str, CaseDescription] = field(default_factory=dict, repr=False)
    visits: Mapping[tuple[str, str], CaseDescription] = field(default_factory=dict, repr=False)
    former: Mapping[str, str] = field(default_factory=dict, repr=False)
    only: frozenset[str] | None = field(default=None, repr=False)
    has_own_table: bool = False
