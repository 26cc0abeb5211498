"""Which role of a protocol a dataset's channel is, by the channel's name: said, never guessed from its number."""

import re
from collections import Counter
from collections.abc import Sequence

from curation.names.description_words import TextWeighting, read_words
from curation.names.name_words import words
from curation.names.role_names import RoleNames
from datasets.study.protocol import ImageRole, Modality, Protocol, Wanted, Weighting

_WORDS = re.compile(r"[^a-z0-9]+")
_MODALITY_WORDS = {
    Modality.CT: frozenset({"ct", "cect", "ncct"}),
    Modality.PET: frozenset({"pet", "pt", "suv"}),
    Modality.MR: frozenset({"mr", "mri", "mrt"}),
}


def roles_of_channels(channels: Sequence[str], protocol: Protocol) -> tuple[str | None, ...]:
    """The role of each channel; None where its name says none of the protocol's, or what another channel's says too.

    A channel is called as a role, its title or an alias, or by a modality or a weighting that one role alone has. A
    plain ``T1w`` is then no image that needs a contrast agent, which ``t1gd`` is.

    Args:
        channels: Their names, as the dataset lists them.
        protocol: Whose roles.
    """
    names = RoleNames(protocol)
    found = [_role_of(name, protocol.images, names) for name in channels]
    times = Counter(found)
    return tuple(role if times[role] == 1 else None for role in found)


def _role_of(channel: str, images: Sequence[ImageRole], names: RoleNames) -> str | None:
    said = _spelled(channel)
    for called in (lambda image: (image.name,), lambda image: (image.title, *image.aliases)):
        if exact := [image.name for image in images if said in map(_spelled, called(image))]:
            return exact[0] if len(exact) == 1 else None
    found = frozenset(_WORDS.split(channel.lower())) - {""}
    by_modality = [image for image in images if found & _MODALITY_WORDS[image.modality]]
    if by_modality:
        return by_modality[0].name if len(by_modality) == 1 and _may_be(by_modality[0], channel, found) else None
    role = names.role_of(words(channel))
    weighting = next((image.weighting for image in images if image.name == role), None)
    says_another = read_words(channel).weighting is TextWeighting.FLAIR and weighting is not Weighting.FLAIR
    return None if says_another else role


def _may_be(image: ImageRole, channel: str, found: frozenset[str]) -> bool:
    """Whether what a channel's name says of a contrast agent is what the protocol wants of an image."""
    has_contrast = read_words(channel).contrast or "cect" in found
    return image.contrast is not (Wanted.REFUSE if has_contrast else Wanted.REQUIRE)


def _spelled(name: str) -> str:
    """A name without capitals, blanks and signs: ``T1-weighted`` is ``t1weighted``."""
    return _WORDS.sub("", name.lower())
