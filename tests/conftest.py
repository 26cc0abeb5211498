"""Order of a whole run, longest first, and the figures that tests measure, which are printed at its end."""

import gc
import os
from collections.abc import Callable
from typing import Any

import pytest

_FIGURES = pytest.StashKey[list[str]]()
_SENT = "figures"

LONGEST = ("loop/test_chaos", "histories/", "loop/")
"""Files that begin first, so that no process of the run is left with one of them at the end."""


def pytest_configure(config: pytest.Config) -> None:
    """An empty list of figures; what tests write need not outlive a power cut, and waiting for the disk takes long."""
    config.stash[_FIGURES] = []
    os.fsync = lambda _descriptor: None


def pytest_collection_finish() -> None:
    """Garbage is not looked for in what was imported, which stays to the end; doing so takes a tenth of a run."""
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file, and among the others, nothing changes its place."""
    items.sort(key=lambda item: next((at for at, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST)))


@pytest.fixture(scope="session")
def tell_figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Call it with one line for the end of the run's output."""
    return pytestconfig.stash[_FIGURES].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process among several sends its figures to the one that prints."""
    if (sent := getattr(session.config, "workeroutput", None)) is not None:
        sent[_SENT] = session.config.stash[_FIGURES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the figures of a process that is done."""
    node.config.stash[_FIGURES].extend(getattr(node, "workeroutput", {}).get(_SENT, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The figures, in the order in which they were measured."""
    if config.stash[_FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[_FIGURES]:
            terminalreporter.write_line(line)
