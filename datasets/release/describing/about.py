"""What a publisher says of a release, read from a TOML document, so that every version is said of the same way."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn

from datasets.errors import RejectedInput
from datasets.release.publication import Creator, Publication
from datasets.release.settings import ReleaseSettings

_TEXTS = ("description", "masks_made_by", "licence_text")
_LISTS = ("known_limits", "citations")
_OF_PUBLICATION = {field.name: field.type for field in fields(Publication) if field.name != "creators"}
_OF_A_CREATOR = {"name": str, "institution": bool, "affiliation": str, "orcid": str}


def with_about(settings: ReleaseSettings, document: str) -> ReleaseSettings:
    """The settings with a document's texts; what the document leaves out stays.

    Args:
        settings: Name, version and all else.
        document: TOML: ``title``, ``publisher``, ``published``, ``contact``, ``doi``, ``address``, ``description``,
            ``masks_made_by`` and ``licence_text`` are texts; ``keywords``, ``funding``, ``ethics``, ``known_limits``
            and ``citations`` lists of them; each ``[[creators]]`` has a ``name``, for a person ``institution = false``,
            and perhaps ``affiliation`` and ``orcid``.

    Raises:
        RejectedInput: It is no TOML, has other keys, or values of another kind.
    """
    try:
        values = tomllib.loads(document)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        _refuse(f"This is no TOML: {error}.")
    known = {*_TEXTS, *_LISTS, *_OF_PUBLICATION, "creators"}
    if unknown := sorted(set(values) - known):
        _refuse(f"Expected keys of {', '.join(sorted(known))}, got {unknown[0][:40]!r}.")
    own: dict[str, Any] = {name: _text(values, name) for name in _TEXTS if name in values}
    lists: dict[str, Any] = {name: _texts(values, name) for name in _LISTS if name in values}
    said: dict[str, Any] = {
        name: _texts(values, name) if isinstance(getattr(settings.publication, name), tuple) else _text(values, name)
        for name in _OF_PUBLICATION
        if name in values
    }
    if "creators" in values:
        said["creators"] = _creators(values["creators"])
    publication = replace(settings.publication, **said)
    return replace(settings, **own, **lists, publication=publication)


def _creators(values: object) -> Any:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        _refuse("The creators are no list of tables: write [[creators]] above each.")
    return tuple(_creator(value) for value in values)


def _creator(value: Mapping[str, object]) -> Creator:
    is_fit = "name" in value and all(isinstance(value[key], _OF_A_CREATOR.get(key, type(None))) for key in value)
    if not is_fit:
        _refuse(
            f"A creator has a name, and perhaps {', '.join(_OF_A_CREATOR)}; one has others, or values of other kinds."
        )
    texts = {key: str(value[key]) for key in ("name", "affiliation", "orcid") if key in value}
    return Creator(**texts, is_institution=bool(value.get("institution", True)))


def _text(values: Mapping[str, object], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        _refuse(f"{name} is no text in quotes.")
    return value


def _texts(values: Mapping[str, object], name: str) -> Any:
    value = values[name]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        _refuse(f"{name} is no list of texts in quotes.")
    return tuple(value)


def _refuse(message: str) -> NoReturn:
    raise RejectedInput(
        "release-about", message, remedy="Correct the document; the data manager's guide has an example."
    )
