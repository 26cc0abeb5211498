"""The page of all settings of `.env`, read from where the code reads them.

A setting is a call of `annotation_backend.configured` in `settings.py`; what it means, and an example, stand in the
docstring below it. The few lines of `.env` that are read elsewhere are listed in `annotation_backend.environment`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotation_backend.environment import READ_ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "annotation_backend" / "settings.py"

INTRODUCTION = """\
# Settings

All settings are lines `NAME=value` of the file `.env` in the checkout. `make setup` writes it with freshly drawn
secrets, readable by its owner alone, and draws what an existing one lacks; every other line stays as it is. A variable
of the process's environment goes before the file. A line holds nothing behind its value, no remark either. A wrong
value is refused by its name when anything starts, with exit status 3. Start `make up` again after a change.

Most installations on one machine need no line but those that are drawn.
"""

_EXAMPLE = re.compile(r"\s*Example: ``(?P<line>[^`]+)``\.?\s*$")
_KINDS = {
    "secret": "a secret of 32 characters or more",
    "text": "text",
    "words": "words with commas between them",
    "choices": "words with commas between them, each one of those that are named below",
    "mail": "a mail server's address",
    "flag": "true or false",
    "whole": "a whole number from {least} to {most}",
    "number": "a number from 0 to {most}",
    "folder": "a folder",
    "address": "an address with http:// or https://",
    "database": "a database's address",
}
_DECISION = re.compile(r"decision (?P<number>[0-9]+)")
_PLACES = {"ROOT": "in the checkout", "DATA_FOLDER": "in the data folder"}


@dataclass(frozen=True)
class Setting:
    """A line of `.env`.

    Args:
        name: As it stands there.
        kind: What it may be.
        default: What it is without a line, in words or as code.
        meaning: What it is for.
        example: A whole line; empty where it is drawn.
    """

    name: str
    kind: str
    default: str
    meaning: str
    example: str

    @property
    def section(self) -> str:
        """Its part of the page."""
        facts = [f"- May be: {self.kind}", f"- Default: {self.default}"]
        facts += [f"- Example: `{self.example}`"] if self.example else []
        return "\n".join([f"## {self.name}", "", _DECISION.sub(_linked, self.meaning), "", *facts])


def settings_page() -> str:
    """The page, as Markdown."""
    return "\n\n".join([INTRODUCTION, *(setting.section for setting in all_settings())]) + "\n"


def all_settings() -> list[Setting]:
    """Every setting, in the order in which the code reads them."""
    others = [Setting(one.name, one.kind, one.default, one.meaning, one.example) for one in READ_ELSEWHERE]
    return [*_read_in_settings(), *others]


def _linked(decision: re.Match[str]) -> str:
    [page] = (ROOT / "docs" / "decisions").glob(f"{int(decision['number']):04}-*.md")
    return f"[{decision[0]}](../decisions/{page.name})"


def _read_in_settings() -> Iterator[Setting]:
    statements = ast.parse(SETTINGS.read_text(encoding="utf-8")).body
    for statement, following in zip(statements, [*statements[1:], ast.Pass()], strict=True):
        for call in _calls(statement):
            yield _setting(call, _docstring(following))


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("configured."):
            yield node


def _docstring(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).split())
    return ""


def _setting(call: ast.Call, said: str) -> Setting:
    name = str(ast.literal_eval(call.args[0]))
    kind = ast.unparse(call.func).removeprefix("configured.")
    words = {one.arg: one.value for one in call.keywords if one.arg}
    example = _EXAMPLE.search(said)
    meaning = _EXAMPLE.sub("", said)
    if not meaning or not (example or kind == "secret"):
        raise ValueError(f"Expected below {name} what it means and an Example, got {said!r}.")
    limits = {limit: f"{ast.literal_eval(words[limit]):.12g}" for limit in ("least", "most") if limit in words}
    may_be = _KINDS[kind].format(**{"least": "0", **limits})
    return Setting(name, may_be, _default(kind, words.get("default")), meaning, example["line"] if example else "")


def _default(kind: str, value: ast.expr | None) -> str:
    if kind == "secret":
        return "none; `make setup` draws one"
    if kind == "flag":
        return "`false`"
    if isinstance(value, ast.BinOp):
        return f"`{ast.literal_eval(value.right)}` {_PLACES[ast.unparse(value.left)]}"
    known = "" if value is None else ast.literal_eval(value)
    known = ",".join(known) if isinstance(known, list) else known
    return "empty" if known == "" else f"`{known:g}`" if isinstance(known, float) else f"`{known}`"
