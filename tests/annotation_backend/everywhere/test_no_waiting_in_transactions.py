"""No transaction of ours is open while another server is asked: the code is read for it, function by function.

`labeling.studio.client` refuses at run time too; this finds what no test happens to run. Calls are followed by name
through our own modules; what a signal starts is not followed.
"""

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from annotation_backend.environment import ROOT

PACKAGE = "annotation_backend"

ASKS = {
    f"{PACKAGE}.labeling.studio.client.call",
    f"{PACKAGE}.labeling.studio.client.is_up",
    f"{PACKAGE}.labeling.studio.client.readable_errors",
    *(f"requests.{verb}" for verb in ("request", "get", "post", "patch", "put", "delete", "Session")),
}
"""Functions that wait for another server."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """What a file's names mean, and which names its functions call."""

    name: str
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                self.names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
            elif isinstance(node, ast.Import):
                self.names |= {one.asname or one.name.partition(".")[0]: one.asname or one.name for one in node.names}
        for function in self.functions():
            self.names.setdefault(function.name, f"{self.name}.{function.name}")

    def functions(self) -> Iterator[Function]:
        """All functions, methods among them."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def called_in(self, nodes: list[ast.stmt]) -> set[str]:
        """Full names of what some statements call; a method of `self` by its own name."""
        calls = (one for node in nodes for one in ast.walk(node) if isinstance(one, ast.Call))
        return {name for call in calls if (name := self.name_of(call.func))}

    def name_of(self, node: ast.expr) -> str | None:
        """The full name of what an expression calls, as far as this module tells."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "self":
                return self.names.get(node.attr)
            return f"{self.names[node.value.id]}.{node.attr}" if node.value.id in self.names else None
        return None


def _is_atomic(module: Module, node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    return (module.name_of(target) or "").endswith(("transaction.atomic", ".exclusive_transaction"))


def _transactions(module: Module) -> Iterator[tuple[int, list[ast.stmt]]]:
    """Line and statements of each transaction."""
    for node in ast.walk(module.tree):
        opened = [item.context_expr for item in node.items] if isinstance(node, ast.With) else []
        opened += node.decorator_list if isinstance(node, Function) else []
        if any(_is_atomic(module, one) for one in opened):
            yield node.lineno, node.body


def _asking(modules: list[Module]) -> set[str]:
    """Functions that ask another server, themselves or by what they call."""
    calls = {f"{module.name}.{f.name}": module.called_in(f.body) for module in modules for f in module.functions()}
    asking, found = set(ASKS), True
    while found:
        found = {name for name, called in calls.items() if name not in asking and called & asking}
        asking |= found
    return asking


def _modules() -> list[Module]:
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [Module(name, ast.parse(file.read_text())) for name, file in zip(names, files, strict=True)]


def _waiting(modules: list[Module]) -> list[str]:
    asking = _asking(modules)
    return [
        f"{module.name}:{line} {name}"
        for module in modules
        for line, body in _transactions(module)
        for name in sorted(module.called_in(body) & asking)
    ]


@pytest.mark.slow
def test_nothing_asks_another_server_inside_a_transaction() -> None:
    modules = _modules()
    assert sum(1 for module in modules for _ in _transactions(module)) > 20
    assert f"{PACKAGE}.labeling.project.publish.publish" in _asking(modules)
    assert _waiting(modules) == []


def test_what_was_wrong_once_is_found() -> None:
    client = Module(f"{PACKAGE}.labeling.studio.client", ast.parse("def call(): ..."))
    text = textwrap.dedent("""
        from django.db import transaction
        from annotation_backend.labeling.studio.client import call
        def inner():
            call("GET", "/")
        def change():
            with transaction.atomic():
                inner()
        @transaction.atomic
        def decorated():
            call("GET", "/")
        def sound():
            call("GET", "/")
            with transaction.atomic():
                pass
    """)
    found = _waiting([client, Module(f"{PACKAGE}.labeling.interface.editor", ast.parse(text))])
    assert [line.partition(" ")[2].rpartition(".")[2] for line in found] == ["call", "inner"]
