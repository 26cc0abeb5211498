"""Keeps addresses that open something by themselves out of the log: pictures', invitations', new passwords'."""

import logging
import re

_PICTURE = re.compile(r"(/pictures/|/accounts/invitation/|/accounts/password/reset/key/)\S+")


def without_picture_addresses(record: logging.LogRecord) -> bool:
    """Leaves the address out of a record that names one, as Django's records of refused requests do.

    Args:
        record: Is changed.

    Returns:
        That the record is kept.
    """
    said = record.getMessage()
    if _PICTURE.search(said):
        record.msg, record.args = _PICTURE.sub(r"\1…", said), ()
    return True
