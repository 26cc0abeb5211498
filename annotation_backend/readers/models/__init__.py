"""Figures of readers' agreement, what adjudicators decide on, and control cases with what people made of them."""

from annotation_backend.readers.models.agreement import FIGURES, PairAgreement, StudyAgreement
from annotation_backend.readers.models.control import ControlCase, ControlReading, ControlShare, KnownFrom, Pause
from annotation_backend.readers.models.proposals import Proposals

__all__ = [
    "FIGURES",
    "ControlCase",
    "ControlReading",
    "ControlShare",
    "KnownFrom",
    "PairAgreement",
    "Pause",
    "Proposals",
    "StudyAgreement",
]
