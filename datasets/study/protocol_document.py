"""Reads a protocol from its TOML document, and names every fault of one with its line and a remedy.

A document that has a fault gives no protocol at all: a study must not begin with half of its design.
"""

import re
import tomllib

from datasets.errors import RejectedInput
from datasets.finding import Finding
from datasets.study.document_table import NAME, DocumentTable, Faults, KeyPath, check_unique
from datasets.study.protocol import (
    UNKNOWN_TISSUE,
    ImageRole,
    Label,
    Modality,
    PlacedBy,
    Protocol,
    Wanted,
    WantedPlane,
    Weighting,
)
from datasets.study.stage_document import check_stages, read_stage

MOST_BYTES = 1 << 20

_ROLE = re.compile(r"[a-z][a-z0-9_]{0,15}")
_WORD = re.compile(r"[a-z][a-z0-9_ -]{0,29}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LABEL_NAME = re.compile(r"[^\W\d_]([\w -]{0,38}[\w-])?")
_KEY = re.compile(r"[017-9]")
_FILES = ("mask", "checkerboard", "thumbnail", "deformation", "edges", "registration")
_COLUMNS = ("patient_id", "tissue_type", "anatomical_site", "consent", "reason")
_DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
_RESERVED = frozenset({*_FILES, *_COLUMNS, *_DEVICES})
"""Names of other files of a case, of other columns and fields, and those that Windows keeps for devices."""


def read_protocol(text: str) -> Protocol:
    """The protocol of a document.

    Raises:
        RejectedInput: The document has a fault: the first one's code, message and remedy, and how many others.
    """
    protocol, faults = check_document(text)
    if protocol is None:
        more = f" {len(faults) - 1} more fault(s) follow." if len(faults) > 1 else ""
        first = faults[0]
        remedy = f"{first.remedy} `manage.py check_protocol` names every fault."
        raise RejectedInput(first.code, f"{first.subject}: {first.message}{more}", remedy=remedy)
    return protocol


def check_document(text: str) -> tuple[Protocol | None, tuple[Finding, ...]]:
    """The protocol of a document, or None and its faults, each with its line as subject, in the order of the lines."""
    faults = Faults(text)
    if len(text.encode()) > MOST_BYTES:
        faults.add((), "protocol-size", "The document has more than 1 MB.", "Give a protocol's document.")
        return None, faults.findings
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides TOMLDecodeError, numbers of thousands of digits
        faults.add_unreadable(str(error))
        return None, faults.findings
    protocol = _protocol(DocumentTable(document, (), faults))
    return (None if faults.findings else protocol), faults.findings


def _protocol(table: DocumentTable) -> Protocol:
    protocol = Protocol(
        name=table.word("name", NAME, "small letters, digits and hyphens, such as thigh-t1"),
        version=table.whole("version", least=1, most=9999),
        title=table.text("title"),
        images=tuple(map(_image, table.tables("images"))),
        drawn=table.word("drawn", _ROLE, "the name of an image"),
        labels=tuple(map(_label, table.tables("labels"))),
        tissue_types=table.words("tissue_types", _WORD, "words in small letters"),
        drawn_by_tissue_type=table.mapping("drawn_by_tissue_type", _ROLE, "the name of an image"),
        sites=table.words("sites", _WORD, "words in small letters"),
        stages=tuple(map(read_stage, table.tables("stages", is_required=False))),
    )
    table.refuse_others()
    for check in (_check_images, _check_drawn, _check_labels, _check_tissue_types, check_stages):
        check(protocol, table.faults)
    return protocol


def _image(table: DocumentTable) -> ImageRole:
    name = table.word("name", _ROLE, "1 to 16 small letters, digits and underscores, such as t1 or t2_fs")
    modality = table.choice("modality", Modality, Modality.MR, is_required=True)
    image = ImageRole(
        name=name,
        title=table.text("title", name),
        modality=modality,
        weighting=table.choice("weighting", Weighting, None),
        fat_suppression=table.choice("fat_suppression", Wanted, Wanted.ALLOW),
        contrast=table.choice("contrast", Wanted, Wanted.ALLOW),
        plane=table.choice("plane", WantedPlane, WantedPlane.AXIAL),
        is_required=table.flag("required", default=True),
        placed_by=table.choice("placed_by", PlacedBy, PlacedBy.SEARCH),
        aliases=table.words("aliases", _WORD, "words in small letters"),
    )
    if modality is not Modality.MR:
        for key in ("weighting", "fat_suppression"):
            if table.has(key):
                table.fault(key, "protocol-wish", f"Only an MR image has a {key.replace('_', ' ')}.", "Take it out.")
    table.refuse_others()
    return image


def _label(table: DocumentTable) -> Label:
    name = table.word("name", _LABEL_NAME, "up to 40 letters, digits, spaces and hyphens that begin with a letter")
    label = Label(
        value=table.whole("value", least=1, most=255),
        name=name,
        colour=table.word("colour", _COLOUR, "a colour such as #e8590c"),
        key=table.word("key", _KEY, "0, 1, 7, 8 or 9, since prompts have the other digits", default=""),
        is_prompted=table.flag("prompted", default=False),
        is_offered=table.flag("offered", default=True),
        imported_names=table.words("imported_names", _WORD, "words in small letters"),
        imported_values=table.wholes("imported_values", least=1, most=255),
    )
    table.refuse_others()
    return label


def _check_images(protocol: Protocol, faults: Faults) -> None:
    check_unique(protocol.roles, ("images",), "name", faults)
    for number, image in enumerate(protocol.images):
        if image.name in _RESERVED or image.name.startswith("mask_"):  # the column of an image's mask
            message = f"No image may be called {image.name}: another file or column of a case has that name."
            faults.add(("images", number, "name"), "protocol-image-name", message, "Give it another name.")
        for alias in image.aliases:
            twins = [one.name for one in protocol.images if one is not image and alias in (*one.aliases, one.name)]
            if twins:
                message = f"The alias {alias} is that of {twins[0]} too: a file of that name could be either."
                remedy = "Leave it with one of the two."
                faults.add(("images", number, "aliases"), "protocol-alias-twice", message, remedy)


def _check_drawn(protocol: Protocol, faults: Faults) -> None:
    _require_drawn(protocol, protocol.drawn, ("drawn",), faults)
    for tissue_type, role in protocol.drawn_by_tissue_type.items():
        path = ("drawn_by_tissue_type", tissue_type)
        _require_drawn(protocol, role, path, faults)
        if tissue_type not in (*protocol.tissue_types, UNKNOWN_TISSUE):
            message = f"{tissue_type} is none of the protocol's tissue types."
            faults.add(path, "protocol-tissue-type", message, "Add it to tissue_types, or take the line out.")


def _require_drawn(protocol: Protocol, role: str, path: KeyPath, faults: Faults) -> None:
    if not role:
        return  # said already
    if role not in protocol.roles:
        message = f"The image to draw on, {role}, is none of the protocol's images."
        faults.add(
            path, "protocol-drawn-unknown", message, f"Write one of {', '.join(protocol.roles) or 'its images'}."
        )
    elif not protocol.image(role).is_required:
        message = f"{role} is drawn on, and a patient may lack it: it is not required."
        faults.add(path, "protocol-drawn-optional", message, "Make the image required, or draw on a required one.")


def _check_labels(protocol: Protocol, faults: Faults) -> None:
    check_unique([label.value for label in protocol.labels], ("labels",), "value", faults)
    check_unique([label.name.casefold() for label in protocol.labels], ("labels",), "name", faults)
    check_unique([label.colour.lower() for label in protocol.labels], ("labels",), "colour", faults)
    check_unique([label.key for label in protocol.labels], ("labels",), "key", faults)
    for what, of in (("imported_names", _names), ("imported_values", _values)):
        seen: dict[object, str] = {}
        for number, label in enumerate(protocol.labels):
            for one in of(label):
                if seen.setdefault(one, label.name) != label.name:
                    message = f"{one} in imported masks would mean {seen[one]} as well as {label.name}."
                    remedy = "Leave it with one of the two."
                    faults.add(("labels", number, what), "protocol-imported-twice", message, remedy)


def _check_tissue_types(protocol: Protocol, faults: Faults) -> None:
    if UNKNOWN_TISSUE in protocol.tissue_types:
        message = f"Every protocol has the tissue type {UNKNOWN_TISSUE}, for cases of which nobody has said it."
        faults.add(("tissue_types",), "protocol-tissue-type", message, "Take it out.")
    if len(set(protocol.tissue_types)) < len(protocol.tissue_types):
        faults.add(("tissue_types",), "protocol-twice", "A tissue type stands twice.", "Leave it once.")


def _names(label: Label) -> tuple[str, ...]:
    """The words by which an imported region means it: its own name is one of them."""
    return (label.name.casefold(), *label.imported_names)


def _values(label: Label) -> tuple[int, ...]:
    return label.imported_values
