"""The command line of ``verify.py``."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datasets.errors import RejectedInput
from datasets.release.verification.checking import Request, Show, Verification, verify

SOUND, WITH_FINDINGS, WRONG_USAGE, UNFINISHED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit statuses, as those of all of Maskloop's commands; 3 asks to be run again."""

_ABOUT = """\
Verifies a release: every file against manifest.json and SHA256SUMS, every gzip to its checksum, place, voxels and
labels of every image and mask, and the folds. Nothing is written into the release."""

_STATUSES = """\
exit status: 0 sound; 1 something is wrong; 2 wrong usage; 3 time was over, run it again with the same --state;
130 interrupted"""

_SHOWN_EVERY_S = 0.5


def main(arguments: Sequence[str] | None = None, *, here: Path | None = None) -> int:
    """Verifies a release and says what is wrong.

    Args:
        arguments: Of the command line; None for those of this process.
        here: The folder to verify where none is given.

    Returns:
        The exit status.
    """
    options = _parser(here).parse_args(arguments)
    if options.seconds is not None and not options.seconds > 0:
        return _refused("Expected a number of seconds above 0 for --seconds.")
    request = Request(digest=options.digest, seconds=options.seconds, state=options.state, anew=options.anew)
    try:
        found = verify(options.folder, request, show=_shown() if sys.stderr.isatty() else lambda done, total: None)
    except RejectedInput as refusal:
        return _refused(str(refusal))
    except OSError as problem:
        return _refused(f"The state cannot be read or written: {problem.strerror or type(problem).__name__}.")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. With --state, the next run goes on from here.\n")
        return INTERRUPTED
    _say(found, is_kept=options.state is not None)
    if options.json:
        sys.stdout.write(json.dumps(found.as_dict(), indent=2, sort_keys=True) + "\n")
    if found.faults:
        return WITH_FINDINGS
    return UNFINISHED if found.files_left else SOUND


def _parser(here: Path | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=_ABOUT, epilog=_STATUSES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = "the release's folder" + (" (default: the one in which this file lies)" if here else "")
    parser.add_argument("folder", nargs="?" if here else None, type=Path, default=here, help=folder)
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after this time and say what is left")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep what was seen whole here, and go on from it")
    parser.add_argument("--anew", action="store_true", help="read everything again, whatever the state knows")
    parser.add_argument("--digest", metavar="HEX", help="the release digest that the publisher names")
    return parser


def _say(found: Verification, *, is_kept: bool) -> None:
    lines = [str(each) for each in found.faults]
    if found.files_left:
        again = "run it again with the same --state" if is_kept else "give more --seconds, or a --state to go on from"
        lines.append(f"Time is over: {found.files_left} files ({_size(found.bytes_left)}) are left; {again}.")
    if found.is_sound:
        lines.append(f"Sound: {found.files} files ({_size(found.bytes)}), {found.cases} cases, digest {found.digest}")
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _refused(line: str) -> int:
    sys.stderr.write(f"{line}\n")
    return WRONG_USAGE


def _shown() -> Show:
    begun = shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > _SHOWN_EVERY_S or (done == total and shown > begun):
            shown = now
            left = (now - begun) / done * (total - done) if done else 0
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{_size(done)} of {_size(total)}, {left:.0f} s left   {end}")

    return show


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
