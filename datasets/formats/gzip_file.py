"""Gzip files for what is published: small, fast, and the same bytes on every machine.

libdeflate comes within the package `deflate` in one pinned version, so that neither the processor nor the system's own
zlib decides what comes out (decision 52 has the figures). Files that an installation keeps are deflated by zlib
(`datasets.formats.nifti`): their digests are in its records, and one that is made again must have the same.
"""

import deflate

_LEVEL = 6


def gzip_file(content: bytes) -> bytes:
    """A gzip file of one member, without name and time.

    Source: RFC 1952, section 2.3.
    """
    return bytes(deflate.gzip_compress(content, _LEVEL))
