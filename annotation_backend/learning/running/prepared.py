"""Prepared cases of this installation: in the data folder, tidied when a training begins and once a day."""

from pathlib import Path

from django.conf import settings

from training.fitting.running.prepared import PreparedCases


def prepared_cases() -> PreparedCases:
    """Where cases are kept as networks see them."""
    return PreparedCases(Path(settings.DATA_FOLDER) / "prepared")
