"""What a publisher says of a release beside its data: title, creators, DOI, contact, funding. All may be left out.

Catalogues ask for it: DataCite, Croissant, CITATION.cff and BIDS are written from it. Nothing here is made up: what the
publisher leaves out stands nowhere.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from datasets.errors import RejectedInput

_DOI = re.compile(r"10\.[0-9]{4,9}/[A-Za-z0-9._;()/:-]{1,200}")
_ORCID = re.compile(r"[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~:/?#@!$&+,;=%-]*)?")
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_HEADER_NAME = re.compile(r"[^\W\d_]\^[^\W\d_]")
"""Two parts of a name as DICOM writes them, ``FAMILY^GIVEN``: a patient's, copied from a header."""

_LONGEST_LINE = 1000


@dataclass(frozen=True)
class Creator:
    """Who made the data.

    Args:
        name: Of the institution, or of the person as ``Family, Given``.
        is_institution: Whether this is no person.
        affiliation: Where the person works; may be empty.
        orcid: The person's ORCID iD, such as ``0000-0002-1825-0097``; may be empty.
    """

    name: str
    is_institution: bool = True
    affiliation: str = ""
    orcid: str = ""

    @property
    def family_and_given(self) -> tuple[str, str]:
        """The parts of a person's name; the second is empty where the publisher wrote one alone."""
        family, _, given = self.name.partition(",")
        return family.strip(), given.strip()


@dataclass(frozen=True)
class Publication:
    """What is to be said of a release in catalogues; every part may be empty.

    Args:
        title: In one line; the release's name and version stand in for it.
        creators: In the order in which they are cited.
        publisher: The institution that makes the data available.
        published: Year or day, ``2024`` or ``2024-05-31``, as the publisher says it; no clock is read.
        contact: An e-mail address or a web page.
        doi: Without a resolver, such as ``10.1234/abcd``.
        address: The page from which people download it.
        keywords: Words to find it by.
        funding: Who paid, a line each.
        ethics: Approvals of ethics committees, a line each.
    """

    title: str = ""
    creators: tuple[Creator, ...] = ()
    publisher: str = ""
    published: str = ""
    contact: str = ""
    doi: str = ""
    address: str = ""
    keywords: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    ethics: tuple[str, ...] = ()

    @property
    def year(self) -> str:
        """The year of publication; empty where the publisher does not say it."""
        return self.published[:4]

    @property
    def is_a_day(self) -> bool:
        """Whether the publisher named the very day."""
        return len(self.published) > len("2024")


def check_publication(publication: Publication) -> None:
    """Refuses what no catalogue takes.

    Raises:
        RejectedInput: Says which part and why.
    """
    lines = (publication.title, publication.publisher, publication.contact)
    lists = (*publication.keywords, *publication.funding, *publication.ethics)
    people = (text for each in publication.creators for text in (each.name, each.affiliation))
    check_lines((*lines, *lists, *people))
    if any(not each.strip() for each in (*lists, *(creator.name for creator in publication.creators))):
        _refuse("publication-empty", "A creator, keyword, funder or approval is empty.", "Take it out, or write it.")
    for creator in publication.creators:
        _check_creator(creator)
    _check_identifiers(publication)


def check_lines(texts: Iterable[str]) -> None:
    """Refuses texts that are not one line, are very long, or hold a person's name as headers write it.

    Raises:
        RejectedInput: ``release-text`` or ``release-person``.
    """
    for text in texts:
        if not text.isprintable() or len(text) > _LONGEST_LINE:
            message = f"A text is not one line of at most {_LONGEST_LINE} characters without control characters."
            _refuse("release-text", message, "Take the control characters and line breaks out, or shorten it.")
        refuse_names(text)


def refuse_names(text: str) -> None:
    """Refuses a text with a name as DICOM writes it.

    Raises:
        RejectedInput: ``release-person``.
    """
    if _HEADER_NAME.search(text):
        message = "A text holds two words with ^ between them, as DICOM headers write patients' names."
        _refuse("release-person", message, "Take the name out.")


def _check_creator(creator: Creator) -> None:
    if creator.orcid and (creator.is_institution or not _is_orcid(creator.orcid)):
        message = "An ORCID iD is not 16 digits in fours whose last one fits, or it is an institution's."
        _refuse("publication-orcid", message, "Copy the person's iD from orcid.org, or leave it out.")


def _check_identifiers(publication: Publication) -> None:
    if publication.doi and not _DOI.fullmatch(publication.doi):
        message = "The DOI is not a prefix such as 10.1234, a slash and a name."
        _refuse("publication-doi", message, "Give it without https://doi.org/ before it.")
    if publication.address and not _ADDRESS.fullmatch(publication.address):
        message = "The address is no web address that begins with https:// or http://."
        _refuse("publication-address", message, "Give the address of the page that offers the release.")
    contact = publication.contact
    if contact and not (_MAIL.fullmatch(contact) or _ADDRESS.fullmatch(contact)):
        message = "The contact is neither an e-mail address nor a web address."
        _refuse("publication-contact", message, "Give one of them.")
    if publication.published and not _is_year_or_day(publication.published):
        message = "The time of publication is neither a year such as 2024 nor a day such as 2024-05-31."
        _refuse("publication-time", message, "Give one of them.")


def _is_year_or_day(text: str) -> bool:
    if _YEAR.fullmatch(text):
        return True
    try:
        return date.fromisoformat(text).isoformat() == text and _YEAR.fullmatch(text[:4]) is not None
    except ValueError:
        return False


def _is_orcid(text: str) -> bool:
    """Whether the last digit is the check of the others (ISO 7064, MOD 11-2)."""
    if not _ORCID.fullmatch(text):
        return False
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return (12 - total % 11) % 11 == (10 if text[-1] == "X" else int(text[-1]))


def _refuse(code: str, message: str, remedy: str) -> None:
    raise RejectedInput(code, message, remedy=remedy)
