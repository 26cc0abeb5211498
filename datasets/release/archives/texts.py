"""The README beside archives: how to unpack them with what everybody has, and how to see that all is whole."""

from collections.abc import Sequence

_PARTS = """\
{title} in {count} archives
{line}

Each archive is a ZIP of its own: nothing has to be joined. Unpack all of them in one folder; together they give the
folder {top}.

    unzip                          for part in {glob}; do unzip -q "$part"; done
    tar (macOS, Windows 10, BSD)   for part in {glob}; do tar -xf "$part"; done
    Python                         for part in {glob}; do python3 -m zipfile -e "$part" .; done
    7-Zip                          7z x "{glob}", or mark all of them and choose "Extract here"

In PowerShell: Get-ChildItem {glob} | ForEach-Object {{ tar -xf $_ }}

Before that: did every archive arrive whole? In the folder of the archives:

    sha256sum -c SHA256SUMS        (macOS: shasum -a 256 -c SHA256SUMS)
"""

_RELEASE_AFTER = """
After that: is the release whole? With Python 3.9 or later and nothing else:

    python3 {top}/verify.py --digest {digest}
"""

_PATCH = """\
From {former} to {new}
{line}

This patch holds the {count} files of {new} that {former} does not have. You need {former} in a folder;
it is read, and never changed. With Python 3.8 or later and nothing else:

    python3 {title}/apply_patch.py {former}

writes the folder {new} beside it, the same to the last byte as the release that was published, and says so only
after it compared every file with its digest. Interrupted, it goes on when it is run again.
"""


def parts_text(title: str, top: str, names: Sequence[str]) -> str:
    """How to unpack archives.

    Args:
        title: What they hold.
        top: The folder that they give together.
        names: Of the archives.
    """
    glob = f"{title}.zip" if len(names) == 1 else f"{title}-part-*.zip"
    text = _PARTS.format(title=title, line="=" * len(title), count=len(names), top=top, glob=glob)
    return text.replace("in 1 archives", "in 1 archive")


def release_after(top: str, digest: str) -> str:
    """How to verify a release that was unpacked."""
    return _RELEASE_AFTER.format(top=top, digest=digest)


def patch_text(title: str, former: str, new: str, count: int) -> str:
    """How to apply a patch.

    Args:
        title: The patch's.
        former: Name and version that it is applied to.
        new: Name and version that it makes.
        count: Of its files.
    """
    heading = f"From {former} to {new}"
    return _PATCH.format(title=title, former=former, new=new, count=count, line="=" * len(heading))
