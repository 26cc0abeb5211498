"""A table of a TOML document, read value by value: what is absent or unfit becomes a fault with its line and remedy."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar, overload

from datasets.finding import Finding, Level

KeyPath = tuple[str | int, ...]
"""Where a value stands: names of tables, the number of a table among those of its name, and the key."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""A name in kebab-case."""

_MOST_TEXT = 200
_MOST_TABLES = 255  # as many labels as a mask has values
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\s\"'-]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_ASSIGNMENT = re.compile(rf"\s*((?:{_KEY.pattern})(?:\s*\.\s*(?:{_KEY.pattern}))*)\s*=")
_AT_LINE = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")

Enum = TypeVar("Enum", bound=StrEnum)
Default = TypeVar("Default")


class Faults:
    """The faults of one document, in the order of its lines."""

    def __init__(self, text: str) -> None:
        self._lines = _lines_of(text)
        self._line_count = len(text.splitlines())
        self._found: dict[tuple[int, str, str], Finding] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every fault, its line as subject."""
        return tuple(self._found[key] for key in sorted(self._found))

    def add(self, path: KeyPath, code: str, message: str, remedy: str) -> None:
        """Notes a fault of the value at a path, or of the nearest table around it that stands in the document."""
        self._note(self._line(path), code, message, remedy)

    def add_unreadable(self, words: str) -> None:
        """Notes that the document is no TOML.

        Args:
            words: The parser's, with the line.
        """
        found = _AT_LINE.search(words)
        message = f"This is no TOML: {_AT_LINE.sub('', words).strip()}."
        remedy = 'Write keys as key = "value" and tables as [[images]]; see https://toml.io.'
        line = int(found[1]) if found and found[1] else max(1, self._line_count)
        self._note(line, "protocol-toml", message, remedy)

    def _note(self, line: int, code: str, message: str, remedy: str) -> None:
        self._found.setdefault(
            (line, code, message), Finding(Level.ERROR, code, message, remedy, subject=f"line {line}")
        )

    def _line(self, path: KeyPath) -> int:
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


class DocumentTable:
    """One table of a document.

    Args:
        values: Its values.
        path: Where it stands.
        faults: Takes the faults.
    """

    def __init__(self, values: Mapping[str, Any], path: KeyPath, faults: Faults) -> None:
        self._values = values
        self._path = path
        self._read: list[str] = []
        self.faults = faults

    def has(self, key: str) -> bool:
        """Whether the key stands in the table."""
        return key in self._values

    def fault(self, key: str, code: str, message: str, remedy: str) -> None:
        """Notes a fault of the value of a key."""
        self.faults.add((*self._path, key), code, message, remedy)

    def word(self, key: str, form: "re.Pattern[str]", words: str, *, default: str | None = None, code: str = "") -> str:
        """A text of a form; empty after a fault.

        Args:
            key: Its key.
            form: What it must match.
            words: The form in words.
            default: Value of an absent key; None where it must be there.
            code: Of its fault, where the key is a word of the document's own.
        """
        value = self._value(key, default)
        if value is None or (value == default and default is not None):
            return value or ""
        if not isinstance(value, str) or not form.fullmatch(value):
            code = code or f"protocol-{key.replace('_', '-')}"
            self.fault(key, code, f"{_shown(key)} is not {words}.", f"Write {words}.")
            return ""
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """One line of text for people; empty after a fault."""
        value = self._value(key, default)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _MOST_TEXT:
            message = f"{key} is not a line of 1 to {_MOST_TEXT} characters."
            self.fault(key, f"protocol-{key}", message, "Write a few words in one line.")
            return ""
        return value.strip()

    def whole(self, key: str, *, least: int, most: int, default: int | None = None) -> int:
        """A whole number; 0 after a fault."""
        value = self._value(key, default)
        if value is None:
            return 0
        if not _is_whole(value, least, most):
            message = f"{key} is not a whole number from {least} to {most}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, "Write such a number, without quotes.")
            return 0
        return int(value)

    def number(self, key: str, *, least: float, most: float, default: float) -> float:
        """A number; the default after a fault."""
        value = self._value(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            message = f"{key} is not a number from {least:g} to {most:g}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, "Write such a number, without quotes.")
            return default
        return float(value)

    def choices(self, key: str, among: type[Enum]) -> tuple[Enum, ...]:
        """A list of an enumeration's words; () where the key is absent."""
        values = self._list(key)
        if not all(value in [one.value for one in among] for value in values):
            message = f"{key} is not a list of {', '.join(one.value for one in among)}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, "Write some of these words.")
            return ()
        return tuple(among(value) for value in values)

    def wholes(self, key: str, *, least: int, most: int) -> tuple[int, ...]:
        """A list of whole numbers; () where the key is absent."""
        values = self._list(key)
        if not all(_is_whole(value, least, most) for value in values):
            message = f"{key} is not a list of whole numbers from {least} to {most}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, "Write it like [1, 2].")
            return ()
        return tuple(values)

    def words(self, key: str, form: "re.Pattern[str]", words: str) -> tuple[str, ...]:
        """A list of texts of a form; () where the key is absent."""
        values = self._list(key)
        if not all(isinstance(value, str) and form.fullmatch(value) for value in values):
            message = f"{key} is not a list of {words}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, f'Write {words} like ["one", "other"].')
            return ()
        return tuple(values)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            self.fault(key, f"protocol-{key}", f"{key} is neither true nor false.", "Write true or false, unquoted.")
            return default
        return value

    @overload
    def choice(self, key: str, among: type[Enum], default: Enum, *, is_required: bool = False) -> Enum: ...
    @overload
    def choice(self, key: str, among: type[Enum], default: None) -> Enum | None: ...

    def choice(self, key: str, among: type[Enum], default: Enum | None, *, is_required: bool = False) -> Enum | None:
        """One of an enumeration's words; the default after a fault."""
        value = self._value(key, None if is_required else (default.value if default else ""))
        if value in (None, "") and (value is None or key not in self._values):
            return default
        if value not in [one.value for one in among]:
            listed = ", ".join(one.value for one in among)
            shown = value if isinstance(value, str) and len(value) < 40 and value.isprintable() else "this"
            code = "protocol-wish" if among.__name__ == "Wanted" else f"protocol-{key.replace('_', '-')}"
            self.fault(key, code, f"Expected {key} to be one of {listed}, got {shown}.", "Write one of these words.")
            return default
        return among(value)

    def one_of(self, key: str, among: Sequence[str], *, default: str | None = None) -> str:
        """One of some words; empty after a fault."""
        value = self._value(key, default)
        if value is not None and value not in among:
            message = f"{key} is none of {', '.join(among)}."
            self.fault(key, f"protocol-{key.replace('_', '-')}", message, "Write one of these words.")
            return ""
        return value or ""

    def mapping(self, key: str, form: "re.Pattern[str]", words: str) -> dict[str, str]:
        """A table of texts of a form; {} where it is absent."""
        values = self._value(key, {})
        if not isinstance(values, Mapping):
            self.fault(key, f"protocol-{key.replace('_', '-')}", f"{key} is no table.", f"Write [{key}] above it.")
            return {}
        table = DocumentTable(values, (*self._path, key), self.faults)
        code = f"protocol-{key.replace('_', '-')}"
        return {name: table.word(name, form, words, code=code) for name in values}

    def tables(self, key: str, *, is_required: bool = True) -> Iterator["DocumentTable"]:
        """The tables of an array of tables, in their order."""
        values = self._value(key, None if is_required else [])
        if values is None:
            return
        if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
            message = f"{key} is no list of tables."
            self.fault(key, f"protocol-{key}", message, f"Write [[{key}]] above each of them.")
            return
        if not values and is_required:
            self.fault(key, f"protocol-{key}-missing", f"There are no {key}.", f"Write [[{key}]] and its keys below.")
        if len(values) > _MOST_TABLES:
            message = f"Expected {_MOST_TABLES} {key} at most, got {len(values)}."
            self.fault(key, "protocol-many", message, "Take those out that nobody needs.")
            return
        for number, value in enumerate(values):
            yield DocumentTable(value, (*self._path, key, number), self.faults)

    def refuse_others(self) -> None:
        """Notes keys that nobody asked for: a misspelt one would be passed over silently."""
        for key in self._values:
            if key not in self._read:
                message = f"{_shown(key)} is none of the keys {', '.join(self._read)}."
                self.fault(key, "protocol-key-unknown", message, "Correct its spelling, or take the line out.")

    def _value(self, key: str, default: Any) -> Any:
        """The value of a key; where it is absent, the default, or a fault and None if there is none."""
        self._read.append(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            message = f"{key} is missing{_where(self._path)}."
            self.fault(key, f"protocol-{key.replace('_', '-')}-missing", message, f"Add a line {key} = …")
        return default

    def _list(self, key: str) -> list[Any]:
        value = self._value(key, [])
        if not isinstance(value, list):
            self.fault(key, f"protocol-{key.replace('_', '-')}", f"{key} is no list.", "Write it in square brackets.")
            return []
        return value


def check_unique(values: Iterable[Any], path: KeyPath, key: str, faults: Faults) -> None:
    """Notes values of a key that two tables of a list share; absent ones are nobody's twins."""
    seen: dict[Any, int] = {}
    for number, value in enumerate(values):
        if value in ("", 0):
            continue  # absent, or said already
        if value in seen:
            message = f"Two of the {path[0]} have the {key} {value}."
            faults.add((*path, number, key), f"protocol-{key}-twice", message, f"Give each a {key} of its own.")
        seen.setdefault(value, number)


def _where(path: KeyPath) -> str:
    numbers = [part for part in path if isinstance(part, int)]
    return f" in number {numbers[-1] + 1} of the {path[0]}" if numbers else ""


def _shown(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,40}", key) else "A key"


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _lines_of(text: str) -> dict[KeyPath, int]:
    """The line of each table and key that begins a line of its own; the first where a key stands twice."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2].strip("\"' ")
            table = (name,)
            lines.setdefault(table, number)
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (name, counts[name])
                lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            keys = [key.strip("\"'") for key in _KEY.findall(assignment[1])]
            for count in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:count]), number)
    return lines
