"""The table of formats into which a release can be exported. A format is one file and one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from datasets.release.exports import decathlon, dicom_seg, monai_list, mstt_199, nnunet
from datasets.release.exports.options import ExportOptions
from datasets.release.exports.prepared import PreparedExport
from datasets.release.exports.selection import Selection


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Args:
        name: Its word on the command line.
        title: For people.
        prepare: Settles an export of a selection and writes nothing: called with the selection and a person's options,
            it returns what is going to be written, and raises `RejectedInput` where the format cannot hold it.
        needs_all_images: Whether each case of the format has every image.
    """

    name: str
    title: str
    prepare: Callable[[Selection, ExportOptions], PreparedExport]
    needs_all_images: bool = True


_ROWS = (
    ExportFormat("nnunet", "a raw dataset of nnU-Net v2", nnunet.prepare),
    ExportFormat("decathlon", "a task of the Medical Segmentation Decathlon", decathlon.prepare),
    ExportFormat("dicom-seg", "DICOM segmentations with their series", dicom_seg.prepare, needs_all_images=False),
    ExportFormat("monai", "a datalist of MONAI", monai_list.prepare),
    ExportFormat("mstt-199", "the slice folders of MSTT-199", mstt_199.prepare),
)

FORMATS: Mapping[str, ExportFormat] = MappingProxyType({row.name: row for row in _ROWS})
"""The formats by their words."""
