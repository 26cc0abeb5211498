"""Which role of a protocol a dataset's channel is, by the channel's name: said, never guessed from its number."""

import re
from collections import Counter
from collections.abc import Sequence

from datasets.study.protocol import ImageRole, Modality, Protocol, Weighting

_WORDS = re.compile(r"[^a-z0-9]+")
_MODALITY_WORDS = {
    Modality.CT: frozenset({"ct", "cect", "ncct"}),
    Modality.PET: frozenset({"pet", "pt", "suv"}),
    Modality.MR: frozenset({"mr", "mri", "mrt"}),
}
_WEIGHTING = re.compile(r"(t1|t2|flair|pd)(w|wi|weighted)?")
_WEIGHTINGS = {
    Weighting.T1.lower(): Weighting.T1,
    Weighting.T2.lower(): Weighting.T2,
    "flair": Weighting.FLAIR,
    "pd": Weighting.PROTON_DENSITY,
}


def roles_of_channels(channels: Sequence[str], protocol: Protocol) -> tuple[str | None, ...]:
    """The role of each channel; None where its name says none of the protocol's, or what another channel's says too.

    A channel is called as a role, its title or an alias, or by a modality or a weighting that one role alone has.

    Args:
        channels: Their names, as the dataset lists them.
        protocol: Whose roles.
    """
    found = [_role_of(name, protocol.images) for name in channels]
    times = Counter(found)
    return tuple(role if times[role] == 1 else None for role in found)


def _role_of(channel: str, images: Sequence[ImageRole]) -> str | None:
    said = _spelled(channel)
    for names in (lambda image: (image.name,), lambda image: (image.title, *image.aliases)):
        if exact := [image.name for image in images if said in map(_spelled, names(image))]:
            return exact[0] if len(exact) == 1 else None
    words = frozenset(_WORDS.split(channel.lower())) - {""}
    by_modality = [image.name for image in images if words & _MODALITY_WORDS[image.modality]]
    if by_modality:
        return by_modality[0] if len(by_modality) == 1 else None
    match = _WEIGHTING.fullmatch(said)
    by_weighting = [image.name for image in images if match and image.weighting is _WEIGHTINGS[match[1]]]
    return by_weighting[0] if len(by_weighting) == 1 else None


def _spelled(name: str) -> str:
    """A name without capitals, blanks and signs: ``T1-weighted`` is ``t1weighted``."""
    return _WORDS.sub("", name.lower())
