"""The card as one HTML page that needs nothing else: no script, no style sheet, no request; readable on a telephone."""

from html import escape

from datasets.pages.page import card, html_table, whole_page
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


def as_page(document: Document) -> bytes:
    """The bytes of README.html.

    Args:
        document: The card.
    """
    return whole_page(document.title, "".join(map(_section, document.sections))).encode()


def _section(section: Section) -> str:
    if not section.blocks:
        return ""
    heading = f"<h2>{escape(section.title)}</h2>" if section.title else ""
    return heading + "".join(map(_block, section.blocks))


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{_inline(block.content)}</p>"
        case Bullets():
            tag = "ol" if block.is_numbered else "ul"
            return f"<{tag}>{''.join(f'<li>{_inline(line)}</li>' for line in block.lines)}</{tag}>"
        case Table():
            return card(block.title, _table(block))
        case Figure():
            below = f'<p class="soft"><a href="{escape(block.path)}">This figure as a file</a></p>'
            return card(block.title, block.drawing + below)
        case Commands():
            return f'<pre tabindex="0">{escape(chr(10).join(block.lines))}</pre>'


def _table(table: Table) -> str:
    rows = [[escape(cell) for cell in row] for row in table.rows]
    return html_table([escape(head) for head in table.heads], rows, words=table.words, label=table.title)


def _inline(content: Inline) -> str:
    return "".join(
        f"<code>{escape(piece.text)}</code>" if isinstance(piece, Code) else _linked(piece) for piece in content
    )


def _linked(text: str) -> str:
    return "".join(
        f'<a href="{escape(piece)}">{escape(piece)}</a>' if is_address else escape(piece)
        for piece, is_address in with_addresses(text)
    )
