"""The table: every method by its name, found by itself beside the others in `training.table.rows`."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from datasets.errors import ProgramFault, RejectedInput
from training.table import rows
from training.table.method import Method


@cache
def methods() -> Mapping[str, Method]:
    """Every method, by name, in the order of the names.

    Raises:
        ProgramFault: Two files have a method of one name.
    """
    modules = [import_module(f"{rows.__name__}.{found.name}") for found in pkgutil.iter_modules(rows.__path__)]
    table = {method.name: method for method in sorted((each.METHOD for each in modules), key=str)}
    if len(table) < len(modules):
        raise ProgramFault("method-twice", "Two files of the table have a method of one name.", remedy="Rename one.")
    return MappingProxyType(table)


def method_called(name: str) -> Method:
    """The method of a name.

    Raises:
        RejectedInput: There is none (``package-method``).
    """
    try:
        return methods()[name]
    except KeyError as error:
        raise RejectedInput(
            "package-method",
            f"This version does not know the model's method; it knows {', '.join(methods())}.",
            remedy="Use the version of Maskloop that made this model, or a newer one.",
        ) from error


def trainable_methods() -> tuple[Method, ...]:
    """The methods that are trained on images and masks."""
    return tuple(method for method in methods().values() if method.fit)
