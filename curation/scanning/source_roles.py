"""Which role of a protocol each image of a published dataset has: by its kind where the layout says it, or its name."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from unicodedata import normalize

from curation.scanning.channel_roles import roles_of_channels
from datasets.errors import RejectedInput
from datasets.finding import Finding, Level
from datasets.public.dataset import SourceDataset
from datasets.study.image_kind import Fit, ImageKind, roles_of
from datasets.study.protocol import Protocol


@dataclass(frozen=True)
class SourceRoles:
    """The roles of a dataset's images.

    Args:
        by_name: Name of an image to its role; None where it has none here.
        numbers: Number of each image that has none, from 0, unless a person left it out.
    """

    by_name: Mapping[str, str | None] = field(repr=False)
    numbers: tuple[int, ...]


def roles_of_source(dataset: SourceDataset, protocol: Protocol, said: Mapping[str, str] | None = None) -> SourceRoles:
    """The role of each image by its name in the dataset.

    Args:
        dataset: The dataset.
        protocol: Whose roles.
        said: Name or number of an image to its role, as a person gave it; an empty role leaves it out.

    Raises:
        RejectedInput: A person named no image of the dataset (``source-image-unknown``) or no role of the protocol
            (``role-unknown``).
    """
    names = dataset.image_names
    by_person = _by_person(names, protocol, said or {})
    kinds = {image.name: image.kind for image in dataset.images if image.kind}
    called = roles_of_channels(names, protocol)
    taken = set(by_person.values())
    found: list[str | None] = []
    for number, name in enumerate(names):
        role = by_person.get(number) or (
            None if number in by_person else _fitting(kinds.get(name, ""), called[number], protocol)
        )
        found.append(None if role in taken and number not in by_person else role)
    times = Counter(found)
    roles = [role if role is not None and times[role] == 1 else None for role in found]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return SourceRoles(
        {name: None if name in twice else role for name, role in zip(names, roles, strict=True)},
        tuple(number for number, role in enumerate(roles) if role is None and by_person.get(number) != ""),
    )


def without_role(
    dataset: SourceDataset, roles: SourceRoles, protocol: Protocol, *, subject: str, are_names_shown: bool = False
) -> Iterator[Finding]:
    """A warning about images that have no role here, by their numbers: their names may be anything."""
    if not roles.numbers:
        return
    names = dataset.image_names
    without = ", ".join(names[number] if are_names_shown else str(number) for number in roles.numbers)
    yield Finding(
        Level.WARNING,
        "dataset-channel-without-role",
        f"{'Image(s)' if are_names_shown else 'Channel(s)'} {without} of the dataset are called like no image of the "
        f"protocol ({', '.join(protocol.roles)}), or two are called alike; they are left out.",
        "Nothing, if they are not wanted; else call them so in the dataset's list, add their names as aliases to the "
        "protocol, or say it with import_dataset --image.",
        subject,
    )


def plain_name(name: str) -> str:
    """A name as two people who mean the same may both write it."""
    return " ".join(normalize("NFC", name).casefold().replace("_", " ").split())


def _by_person(names: tuple[str, ...], protocol: Protocol, said: Mapping[str, str]) -> dict[int, str]:
    """Number of an image to the role that a person gave it."""
    found: dict[int, str] = {}
    for name, role in said.items():
        numbers = [number for number, one in enumerate(names) if plain_name(one) == plain_name(name)]
        numbers = numbers or [number for number in range(len(names)) if str(number) == name.strip()]
        if len(numbers) != 1:
            raise RejectedInput(
                "source-image-unknown",
                "An image that --image names is none of the dataset's, or several are called so.",
                remedy=f"Name it as the dataset does, or by its number from 0 to {len(names) - 1}.",
            )
        if role and role not in protocol.roles:
            raise RejectedInput(
                "role-unknown",
                f"The protocol {protocol.name} has no such image.",
                remedy=f"Name one of {', '.join(protocol.roles)}, or nothing to leave the image out.",
            )
        found[numbers[0]] = role
    return found


def _fitting(kind: str, called: str | None, protocol: Protocol) -> str | None:
    """The role by the kind; of several that fit, the one that the name means. Without a kind by the name alone."""
    if not kind:
        return called
    found = roles_of(ImageKind.from_word(kind), protocol.images, drawn=protocol.drawn)
    fitting = [role for role, one in found.items() if one.fit is Fit.FITS]
    return fitting[0] if len(fitting) == 1 else called if called in fitting else None
