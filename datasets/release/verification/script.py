"""Joins the code that verifies releases into one file, ``verify.py``, which needs nothing but Python.

From `main` on, every definition that is used is taken over as it stands, with the comment above and the docstring
below it, whatever module of ours it lies in; so there is one piece of code, here and in the releases. Where two modules
have a private name in common, the second one's gets a number. What is imported must be Python's own. The same code
gives the same bytes.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path

import datasets
from datasets.errors import ProgramFault

_ROOT = Path(datasets.__file__).parents[1]
_ENTRY = ("datasets.release.verification.command", "main")

_HEAD = '''\
#!/usr/bin/env python3
"""Verifies this release with nothing but Python 3.9 or later: `python verify.py`; `python verify.py --help` says more.

The same code verifies releases in Maskloop, from which it was joined into this one file.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    sys.stderr.write("This needs Python 3.9 or later; `sha256sum -c SHA256SUMS` works without.\\n")
    sys.exit(3)
'''

_FOOT = """

if __name__ == "__main__":
    sys.exit(main(here=Path(__file__).parent))
"""


@cache
def script() -> bytes:
    """The bytes of ``verify.py``.

    Raises:
        ProgramFault: The code uses something that is not Python's own, or two definitions have one name.
    """
    taken = _Taken()
    taken.take(*_ENTRY)
    parts = [_HEAD, *_import_lines(taken.imports)]
    known: set[str] = set()
    for module in taken.in_order():
        names = module.sorted(taken.names[module.name])
        new = {name: _free(name, known) for name in names}
        known |= set(new.values())
        title = f"# {'-' * 10} {module.name.removeprefix('datasets.')} {'-' * 10}"
        parts.append("\n\n".join([f"\n\n{title}", *(module.text(name, new) for name in names)]))
    return ("\n".join(parts) + _FOOT).encode()


def _import_lines(imported: Mapping[str, set[str]]) -> Iterator[str]:
    """Modules themselves first, those in the head left out."""
    yield from (f"import {module}" for module in sorted(imported) if "" in imported[module] and module != "sys")
    for module in sorted(imported):
        if names := sorted(imported[module] - {""}):
            yield f"from {module} import {', '.join(names)}"


def _free(name: str, known: set[str]) -> str:
    """The name, or one with a number where it is private and another module has it."""
    if name in known and not name.startswith("_"):
        raise _fault(f"{name} is defined twice")
    return next(each for each in (name, *(f"{name}_{number}" for number in range(2, 99))) if each not in known)


class _Module:
    """A module of ours in its definitions."""

    def __init__(self, name: str) -> None:
        source = (_ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
        self.name = name
        self.lines = source.splitlines()
        self.body = ast.parse(source).body

    @cached_property
    def imported(self) -> dict[str, tuple[str, str]]:
        """Each imported name: of which module, and what there; nothing where it is the module itself."""
        found = {}
        for node in self.body:
            if isinstance(node, ast.Import):
                found.update({alias.name: (alias.name, "") for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                found.update({alias.name: (str(node.module), alias.name) for alias in node.names})
        return found

    @cached_property
    def members(self) -> set[str]:
        """What its classes' parts are called."""
        classes = [node for node in self.body if isinstance(node, ast.ClassDef)]
        return {name for node in classes for part in node.body for name in _names_of(part)}

    @cached_property
    def defined(self) -> dict[str, ast.stmt]:
        """The statement that defines each name."""
        return {name: node for node in self.body for name in _names_of(node)}

    def text(self, name: str, new: Mapping[str, str]) -> str:
        """A definition as it stands, from the comment above it to the docstring below it.

        Args:
            name: What is defined.
            new: Each name of this module as it is in the script.
        """
        node = self.defined[name]
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        while self.lines[start - 2].startswith("#"):
            start -= 1
        after = self.body[self.body.index(node) + 1 : self.body.index(node) + 2]
        is_told = isinstance(node, ast.Assign | ast.AnnAssign) and after and _is_text(after[0])
        end = (after[0] if is_told else node).end_lineno
        text = "\n".join(self.lines[start - 1 : end])
        for old in (old for old in new if new[old] != old):
            if old in self.members:
                raise _fault(f"{old} of {self.name} is also a member's name")
            text = re.sub(rf"(?<![\w.]){old}\b", new[old], text)
        return f"\n{text}" if isinstance(node, ast.FunctionDef | ast.ClassDef) else text

    def sorted(self, names: set[str]) -> list[str]:
        """Names in the order of their definitions, one for each statement."""
        by_line = {self.defined[name].lineno: name for name in sorted(names)}
        return [by_line[line] for line in sorted(by_line)]


class _Taken:
    """What is taken over, found from one definition on."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.imports: dict[str, set[str]] = {}
        self._modules: dict[str, _Module] = {}

    def take(self, module_name: str, name: str) -> None:
        """Takes a definition, and before it all that it uses."""
        if module_name not in self._modules:
            self._modules[module_name] = _Module(module_name)
        module = self._modules[module_name]
        if name in self.names.setdefault(module_name, set()):
            return
        self.names[module_name].add(name)
        for used in sorted(_used(module.defined[name])):
            if used in module.imported:
                self._import(*module.imported[used])
            elif used in module.defined:
                self.take(module_name, used)

    def in_order(self) -> list[_Module]:
        """The modules, each behind those that it imports."""
        found: dict[str, _Module] = {}

        def add(name: str) -> None:
            module = self._modules[name]
            for imported, _ in module.imported.values():
                if imported in self._modules and imported not in found:
                    add(imported)
            found[name] = module

        add(_ENTRY[0])
        return list(found.values())

    def _import(self, module_name: str, name: str) -> None:
        if module_name.partition(".")[0] == "datasets":
            self.take(module_name, name)
        elif module_name.partition(".")[0] in sys.stdlib_module_names:
            self.imports.setdefault(module_name, set()).add(name)
        else:
            raise _fault(f"{module_name} is not Python's own")


def _names_of(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _used(node: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _fault(what: str) -> ProgramFault:
    return ProgramFault("verify-script", f"verify.py cannot be made: {what}.", remedy="Report it.")
