"""Links of a chain: each has a name, a check, and the links without which it cannot be tried."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import requests

from datasets.errors import MaskloopError, ProgramFault, TryAgain


@dataclass(frozen=True)
class Link:
    """One link of the platform that has to hold.

    Args:
        name: Its name in the doctor's output.
        check: Raises a `MaskloopError` where it does not hold.
        needs: Names of links that must hold before this one can be tried.
    """

    name: str
    check: Callable[[], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A link that does not hold, with the reason and a remedy."""

    link: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.link} fails: {self.message} {self.remedy} [{self.code}]"


@dataclass
class Examination:
    """Result of trying the links.

    Args:
        good: Names of the links that hold, in their order.
        failures: Links that do not hold.
        not_tried: Name of each link that could not be tried, and the link that it waits for.
    """

    good: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_tried: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``failed`` is the first failing link's name, or None."""
        return {
            "good": self.good,
            "failed": self.failures[0].link if self.failures else None,
            "failures": [vars(failure) for failure in self.failures],
            "not_tried": self.not_tried,
        }


def try_links(links: Iterable[Link], *, tell: Callable[[str], None]) -> Examination:
    """Tries each link whose needs hold; one that fails stops only those that need it.

    Args:
        links: Each after those that it needs.
        tell: Called with one line for each link.
    """
    found = Examination()
    for link in links:
        missing = next((need for need in link.needs if need not in found.good), None)
        if missing is not None:
            found.not_tried[link.name] = missing
            tell(f"      {link.name} not tried: needs {missing}")
            continue
        started = time.monotonic()
        failure = _try(link)
        if failure is None:
            found.good.append(link.name)
            tell(f"good  {link.name} ({time.monotonic() - started:.1f} s)")
        else:
            found.failures.append(failure)
            tell(f"BAD   {failure}")
    return found


def _try(link: Link) -> Failure | None:
    try:
        link.check()
    except MaskloopError as error:
        return Failure(link.name, error.code, error.message, error.remedy)
    except Exception as error:  # whatever it is, the other links are still worth knowing
        fault = ProgramFault(
            "unexpected", f"The check itself broke ({type(error).__name__}).", remedy="Report it, with data/logs."
        )
        return Failure(link.name, fault.code, fault.message, fault.remedy)
    return None


def ask(method: str, address: str, *, who: str, **options: Any) -> requests.Response:
    """A request to one of our own services.

    Raises:
        TryAgain: Nothing answers there (``unreachable``).
    """
    try:
        return requests.request(method, address, timeout=10, **options)
    except requests.RequestException as error:
        raise TryAgain(
            "unreachable",
            f"{who} does not answer.",
            remedy="Start it with `make up`; see data/logs. Is its address in .env the one it listens on?",
        ) from error


def wait_for(is_there: Callable[[], bool], *, seconds: float, otherwise: Callable[[], MaskloopError]) -> None:
    """Waits until something has happened.

    Raises:
        MaskloopError: What `otherwise` gives, where it has not after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > deadline:
            raise otherwise()
        time.sleep(0.3)
