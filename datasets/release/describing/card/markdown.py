"""The card as Markdown that reads the same in CommonMark, GitHub's and Python's dialect, and as it is in an editor.

Whatever a publisher wrote comes out as it was written: signs that a dialect would take for markup are escaped, with an
entity where the dialects do not agree on a backslash.
"""

import re

from datasets.release.describing.card.blocks import (
    Block,
    Bullets,
    Code,
    Commands,
    Document,
    Figure,
    Inline,
    Paragraph,
    Section,
    Table,
    with_addresses,
)

_ENTITIES = {"<": "&lt;", ">": "&gt;", "|": "&#124;", "~": "&#126;", "$": "&#36;", "{": "&#123;", "}": "&#125;"}
_ENTITY_LIKE = re.compile(r"&(?=#?\w+;)")
_SIGNS = re.compile(r"([\\`*\[\]])")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore inside a word is none of Markdown's."""

_LINE_START = re.compile(r"^([#+-]|[0-9]{1,9}(?=[.)](?:\s|$)))")


def as_markdown(document: Document) -> bytes:
    """The bytes of README.md.

    Args:
        document: The card.
    """
    parts = [f"# {escaped(document.title)}", *(_section(section) for section in document.sections)]
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def escaped(text: str) -> str:
    """One line of plain text in Markdown, wherever in a line it stands."""
    pieces = [f"<{piece}>" if is_address else _escaped(piece) for piece, is_address in with_addresses(text.strip())]
    return _LINE_START.sub(_not_a_block, "".join(pieces))


def _escaped(text: str) -> str:
    text = _ENTITY_LIKE.sub("&amp;", text)
    text = _SIGNS.sub(r"\\\1", text)
    text = _UNDERSCORE.sub(r"\\_", text)
    return "".join(_ENTITIES.get(sign, sign) for sign in text)


def _not_a_block(found: "re.Match[str]") -> str:
    """What begins a heading, a list or a rule, so that it does not."""
    return f"{found[1]}\\" if found[1].isdigit() else f"\\{found[1]}"


def _section(section: Section) -> str:
    if not section.blocks:
        return ""
    heading = [f"## {escaped(section.title)}"] if section.title else []
    return "\n\n".join([*heading, *map(_block, section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _inline(block.content)
        case Bullets():
            return "\n".join(
                f"{f'{number}.' if block.is_numbered else '-'} {_inline(line)}"
                for number, line in enumerate(block.lines, start=1)
            )
        case Table():
            return f"{escaped(block.title)}\n\n{_table(block)}"
        case Figure():
            return f"{escaped(block.title)}\n\n![{escaped(block.alternative)}]({block.path})"
        case Commands():
            return "```\n" + "\n".join(block.lines) + "\n```"


def _table(table: Table) -> str:
    aligned = ["---" if at < table.words else "---:" for at in range(len(table.heads))]
    rows = [map(escaped, table.heads), aligned, *(map(escaped, row) for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _inline(content: Inline) -> str:
    """The pieces; a line's first one decides whether it begins like a block."""
    pieces = [_code(piece.text) if isinstance(piece, Code) else _spaced(piece) for piece in content]
    return "".join(pieces).strip()


def _spaced(text: str) -> str:
    """Escaped, with the spaces at its ends."""
    inner = escaped(text)
    before = " " if text[:1] == " " else ""
    after = " " if text[-1:] == " " and inner else ""
    return f"{before}{inner}{after}"


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if "`" in text else ""
    return f"{fence}{padding}{text}{padding}{fence}"
