"""An image as it goes into a registration: on its own grid, with the words and the intensities that are its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.image.intensity import Window, percentile_window
from datasets.image.volume import Volume
from datasets.study.protocol import Modality

CT_SEARCH_WINDOW = (-200.0, 300.0)
"""Hounsfield units between which a CT is compared: air is black, and fat, muscle and marrow are told apart; the rest of
the range is bone and metal, which would take the grey levels of mutual information for themselves."""

PET_SEARCH_WINDOW = (0.0, 3.0)
"""SUV between which a PET is compared: the body's 0.4 to 1.5 is told from air, however hot a tumour is. By percentiles
the body of a patient whose tumour took up twenty times as much was lost (Dice with the CT's body 0.45)."""

_WINDOWS = {Modality.CT: CT_SEARCH_WINDOW, Modality.PET: PET_SEARCH_WINDOW}

_CT_AIR = -1024.0


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An image of a case on its own grid.

    Args:
        volume: Its voxels.
        role: Its name in the case, as records carry it.
        title: Its name in messages.
        modality: The machine, which says what its intensities mean.
        frame: Digest of its DICOM frame of reference; empty where none is known.
    """

    volume: Volume
    role: str = "image"
    title: str = "The image"
    modality: str = Modality.MR
    frame: str = ""

    @property
    def outside(self) -> float:
        """The intensity where the image does not reach: of air for a CT, none for MR and PET."""
        return _CT_AIR if self.modality == Modality.CT else 0.0

    @property
    def as_float(self) -> Volume:
        """Its voxels as float32 on its own grid, none interpolated."""
        return Volume(np.asarray(self.volume.data, dtype=np.float32), self.volume.grid)

    @property
    def search_window(self) -> Window:
        """The intensities between which it is compared with others."""
        return _WINDOWS.get(Modality(self.modality)) or percentile_window(self.volume.data)

    @property
    def clipped(self) -> NDArray[np.float32]:
        """Its voxels within `search_window`."""
        return np.clip(np.asarray(self.volume.data, dtype=np.float32), *self.search_window)
