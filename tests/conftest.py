"""Figures that tests measure are printed at the end of every run, not only of a failing one."""

from collections.abc import Callable

import pytest

_FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """An empty list of figures."""
    config.stash[_FIGURES] = []


@pytest.fixture(scope="session")
def tell_figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Call it with one line for the end of the run's output."""
    return pytestconfig.stash[_FIGURES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The figures, in the order in which they were measured."""
    if config.stash[_FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[_FIGURES]:
            terminalreporter.write_line(line)
