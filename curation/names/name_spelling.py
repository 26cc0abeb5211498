"""Spelling of the words that identify a patient: names that differ in capitals or signs only may be two people.

``Meier`` and ``meier``, ``A+`` and ``A-``, ``1-11`` and ``1_11`` have the same words. Beside one another in one folder
they are one person's, mistyped, or two people's: a person must decide.
"""

from itertools import groupby

from curation.names.name_words import is_between, may_identify_patient, words

_USUAL_SIGNS = " _-.,"


def spelling(text: str) -> tuple[str, ...]:
    """The words of a name that may identify a patient, as written; those that follow one another are one piece.

    ``Meier (1)_T1`` gives ``("Meier (1)",)`` and ``A_T1_1`` gives ``("A", "1")``, while ``A_1_T1`` gives ``("A_1",)``.

    Args:
        text: A file's name without its suffix, or a folder's.
    """
    pieces: list[str] = []
    between = ""
    is_open = False
    for is_sign, signs in groupby(text, key=is_between):
        written = "".join(signs)
        if is_sign:
            between = written
            pieces[-1:] = [pieces[-1] + written] if is_open else pieces[-1:]
            continue
        is_word = any(map(may_identify_patient, words(written)))
        if is_word and is_open:
            pieces[-1] += written
        elif is_word:
            pieces.append(between + written)
        is_open, between = is_word, ""
    return tuple(piece.strip(_USUAL_SIGNS) for piece in pieces)
