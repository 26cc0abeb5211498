"""The errors of every floor: a code, what happened, and what to do. Never any patient data.

Three families decide what a caller does: `RejectedInput` (tell the person, go on with the rest), `TryAgain` (the same
call may succeed later), `ProgramFault` (a bug of ours). Each package roots its own errors in one of them.
"""


class MaskloopError(Exception):
    """Root of all errors that Maskloop raises on purpose.

    Args:
        code: Stable identifier in kebab-case, e.g. ``grid-mismatch``; never translated, safe to test for.
        message: What happened, in plain English; "Expected X, got Y" where a value is meant. Without patient data.
        remedy: What the person can do about it.
    """

    def __init__(self, code: str, message: str, *, remedy: str) -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy} [{self.code}]"


class RejectedInput(MaskloopError):
    """The input is not fit; the same input will be refused again."""


class TryAgain(MaskloopError):
    """Something outside is not ready (a server that is down, a file in use); the same call may succeed later."""


class ProgramFault(MaskloopError):
    """An invariant of ours does not hold: a bug to report."""


class GeometryError(RejectedInput):
    """Two things that are to be combined do not lie on the same grid, or a grid is not one."""
