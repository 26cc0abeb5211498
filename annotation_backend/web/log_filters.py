"""Keeps pictures' addresses out of the log: an address is the permission to see the picture."""

import logging
import re

_PICTURE = re.compile(r"/pictures/\S+")


def without_picture_addresses(record: logging.LogRecord) -> bool:
    """Leaves the address out of a record that names one, as Django's records of refused requests do.

    Args:
        record: Is changed.

    Returns:
        That the record is kept.
    """
    said = record.getMessage()
    if _PICTURE.search(said):
        record.msg, record.args = _PICTURE.sub("/pictures/…", said), ()
    return True
