"""A drawing as an SVG file of its own: it brings the colours that a page's style sheet would give it."""

_STYLE = (
    "svg{background:#fff;font-family:sans-serif}text{fill:#5d6878;font-size:12px}.axis{font-size:13px}"
    ".grid{stroke:#e1e5eb;fill:none}"
    ".m0{--c:#2563c9}.m1{--c:#c2570c}.m2{--c:#1f7a4d}.m3{--c:#7c4bc9}.m4{--c:#b8324b}.m5{--c:#0b7a86}"
    ".mean{stroke:var(--c);stroke-width:2.5;fill:none}.case{stroke:var(--c);stroke-width:1;fill:none;opacity:.5}"
    ".dot{fill:var(--c);opacity:.75}"
)


def svg_file(drawing: str) -> bytes:
    """The bytes of a file.

    Args:
        drawing: An ``svg`` element as `datasets.pages` draws it.
    """
    attributes, _, content = drawing.removeprefix("<svg").partition(">")
    return f'<svg xmlns="http://www.w3.org/2000/svg"{attributes}><style>{_STYLE}</style>{content}\n'.encode()
