"""De-identification of DICOM by the Basic Profile of PS3.15: unknown means remove, and every action is logged.

`deidentify` rewrites one object, `deidentify_folder` a folder of studies. The action on each attribute is data in
`curation/deidentification`; `docs/decisions/0011-deidentification.md` says why it is as it is.
"""

from curation.deidentification.folder import deidentify_folder
from curation.deidentification.instance import Deidentified, deidentify, written_bytes
from curation.deidentification.policy.policy import Policy
from curation.deidentification.report import FolderReport

__all__ = ["Deidentified", "FolderReport", "Policy", "deidentify", "deidentify_folder", "written_bytes"]
