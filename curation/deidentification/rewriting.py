"""One object rewritten: every attribute is looked up, in the table first, then among those that images need, at every
depth by the same rules; an attribute in neither is removed.
"""

from dataclasses import dataclass, field
from typing import Any

from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.uid import UID_dictionary

from curation.deidentification.actions_done import ActionDone, Done, Why
from curation.deidentification.dummies import dummy
from curation.deidentification.hidden_numbers import hides_identifier, identifying_numbers
from curation.deidentification.pixels.visible import bare_pixels
from curation.deidentification.policy.attributes import (
    SafePrivate,
    kept_attributes,
    patient_characteristics,
    safe_private,
    safe_private_moments,
)
from curation.deidentification.policy.codes import known_codes
from curation.deidentification.policy.policy import Policy
from curation.deidentification.policy.profile import Action, Rule, rule_of
from curation.deidentification.policy.tables import tag_text
from curation.deidentification.policy.value_checks import checked
from curation.deidentification.pseudonymous import days_moved, mapped_uid
from curation.deidentification.shifted_dates import shifted

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
IDENTITY_REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED = 0x00120062, 0x00120063, 0x00120064, 0x00280303
RECORD = frozenset({IDENTITY_REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED})
"""Attributes that record the de-identification; written afresh."""

_CONTRAST_AGENT = 0x00180010
_NO_AGENT = frozenset({"NO", "NONE", "N", "-", "NO CONTRAST"})
_FIRST_GROUP_OF_DATA_SETS = 0x0008
_COUNTED_IN_PIXELS = frozenset({0x00280008, 0x00280010, 0x00280011})
"""Frames, rows and columns: the size of the pixels confirms these numbers, and the pixels are lost without them."""

_DATE_VRS = ("DA", "DT", "TM")


@dataclass
class Rewriting:
    """One object being rewritten: the options, the key, and the actions done so far.

    Args:
        policy: Which options apply.
        key: The installation's key.
        patient_code: Takes the place of the patient's name and id.
        identifiers: Numbers that name the object's patient or study; found in the object itself.
    """

    policy: Policy
    key: bytes = field(repr=False)
    patient_code: str
    done: list[ActionDone] = field(default_factory=list)
    identifiers: frozenset[int] = field(default=frozenset(), repr=False)

    def rewritten(self, source: Dataset, *, inside: str = "") -> Dataset:
        """A new data set with the attributes of `source` that may stay; `source` is not changed."""
        target = Dataset()
        if not inside:
            self.identifiers = identifying_numbers(source)
        for tag in sorted(tag for tag in source.keys() if inside or tag not in RECORD):  # noqa: SIM118, elements stay raw
            place = _Place(self, source, int(tag), inside)
            element = place.result()
            if element is not None:
                place.put(target, element)
        return target

    def note(self, tag: int, done: Done, why: Why, *, inside: str = "") -> None:
        """Logs the action done to an attribute."""
        number = f"({tag >> 16:04X},xx{tag & 0xFF:02X})" if (tag >> 16) % 2 else tag_text(tag)
        self.done.append(ActionDone(inside + number, keyword_for_tag(tag), done, why))


@dataclass
class _Place:
    """One attribute at one place of the object."""

    rewriting: Rewriting
    source: Dataset
    tag: int
    inside: str

    def result(self) -> DataElement | None:
        """The element that takes its place; None where none does."""
        rule = rule_of(self.tag)
        if self.tag & 0xFFFF == 0 or self.tag >> 16 < _FIRST_GROUP_OF_DATA_SETS:
            return self._removed(Why.NOT_LISTED if rule is None else Why.PROFILE)
        check = kept_attributes().get(self.tag)
        if rule is None and check is None:
            return self._removed(Why.NOT_LISTED)
        try:
            element = self._read()
        except Exception:  # values are parsed on access, and a damaged one raises anything; it never leaves
            return self._removed(Why.UNREADABLE)
        if rule is not None:
            return self._by_rule(rule, element)
        return self._checked(check or "", element, Why.NEEDED)

    def put(self, target: Dataset, element: DataElement) -> None:
        """Adds the element, and for a private one the reservation of its block."""
        if self.tag >> 16 & 1:
            block = self.tag & 0xFFFF0000 | (self.tag >> 8 & 0xFF)
            target[block] = DataElement(block, "LO", self._creator())
        target[self.tag] = element

    def _read(self) -> DataElement:
        element = self.source[self.tag]
        if " or " in element.VR:
            element = DataElement(element.tag, element.VR, element.value, validation_mode=config.IGNORE)
            is_little = getattr(self.source, "original_encoding", (None, True))[1] is not False
            element = correct_ambiguous_vr_element(element, self.source, is_little)
        return element

    def _by_rule(self, rule: Rule, element: DataElement) -> DataElement | None:
        is_sequence = self._vr(element) == "SQ"
        action = rule.action(self.rewriting.policy.options, is_sequence=is_sequence)
        if action is Action.CLEAN_PRIVATE:
            return self._private(element)
        if action is Action.KEEP and self.tag in patient_characteristics():
            return self._checked(patient_characteristics()[self.tag], element, Why.OPTION)
        if action is Action.SHIFT and self._vr(element) in _DATE_VRS:
            return self._shifted(rule, element)
        if action is Action.CLEAN_WORDS and not is_sequence:
            return self._cleaned(rule, element)
        return self._basic(rule, element, Why.PRIVATE if self.tag >> 16 & 1 else Why.PROFILE)

    def _basic(self, rule: Rule, element: DataElement, why: Why) -> DataElement | None:
        action = rule.basic_action(is_sequence=self._vr(element) == "SQ")
        if self.tag in (PATIENT_NAME, PATIENT_ID):
            return self._as(self.rewriting.patient_code, element, Done.PSEUDONYM, why)
        if action is Action.EMPTY:
            return self._as([] if self._vr(element) == "SQ" else None, element, Done.EMPTIED, why)
        if action is Action.MAP_REFERENCES:
            return self._sequence(element, why)
        if action is Action.MAP_UID or (action is Action.DUMMY and self._vr(element) == "UI"):
            return self._mapped(element, why)
        if action is Action.DUMMY and rule.leaves_a_choice and self._says_nothing(element):
            return self._as(None, element, Done.EMPTIED, why)
        if action is Action.DUMMY:
            return self._as(dummy(self._vr(element)), element, Done.DUMMY, why)
        return self._removed(why)

    def _mapped(self, element: DataElement, why: Why) -> DataElement:
        uids = [_uid(str(value), self.rewriting.key) for value in _values(element)]
        return self._as(uids or None, element, Done.UID_MAPPED, why)

    def _shifted(self, rule: Rule, element: DataElement) -> DataElement | None:
        days = days_moved(self.rewriting.patient_code, self.rewriting.key)
        values = [str(value) for value in _values(element)]
        moved = [shifted(value, self._vr(element), days) for value in values]
        if not values or None in moved:
            why = Why.MALFORMED_DATE if values else Why.OPTION
            return self._basic(rule, element, why)
        return self._as(moved, element, Done.DATE_SHIFTED, Why.OPTION)

    def _cleaned(self, rule: Rule, element: DataElement) -> DataElement | None:
        is_text = self._vr(element) in ("LO", "SH", "ST", "LT", "UT", "CS", "UC")
        kept = checked("words", _values(element), vr=self._vr(element)) if is_text else None
        if not kept:
            return self._basic(rule, element, Why.PROFILE)
        return self._as(kept, element, Done.WORDS_CLEANED, Why.OPTION)

    def _private(self, element: DataElement) -> DataElement | None:
        known = SafePrivate(self.tag >> 16, self.tag & 0xFF, self._creator())
        if known in safe_private_moments() and self.tag & 0xFF00:
            return self._private_moment(element)
        check = safe_private().get(known) if self.tag & 0xFF00 else None
        kept = checked(check, _values(element), vr=element.VR) if check and element.VR not in ("UN", "SQ") else None
        if kept is None or hides_identifier(kept, self.rewriting.identifiers):
            return self._removed(Why.PRIVATE)
        return self._as(kept, element, Done.KEPT, Why.SAFE_PRIVATE)

    def _private_moment(self, element: DataElement) -> DataElement | None:
        values = [str(value) for value in _values(element)] if element.VR in _DATE_VRS else []
        days = days_moved(self.rewriting.patient_code, self.rewriting.key)
        moved = [shifted(value, element.VR, days) for value in values]
        if not self.rewriting.policy.shift_dates or not moved or None in moved:
            return self._removed(Why.PRIVATE)
        return self._as(moved, element, Done.DATE_SHIFTED, Why.SAFE_PRIVATE)

    def _checked(self, check: str, element: DataElement, why: Why) -> DataElement | None:
        if element.VR not in dictionary_VR(self.tag).split(" or "):
            return self._removed(Why.VALUE)
        if check == "pixels":
            return self._pixels(element)
        if check == "sequence":
            return self._sequence(element, why)
        if check == "code":
            return self._as(known_codes(element.value), element, Done.LIMITED, why)
        values = _values(element)
        kept = checked(check, values, vr=element.VR, most=_most(self.tag))
        if kept is None and not values:
            return self._as(None, element, Done.KEPT, why)
        if (
            kept is not None
            and self.tag not in _COUNTED_IN_PIXELS
            and hides_identifier(kept, self.rewriting.identifiers)
        ):
            return self._as(None, element, Done.EMPTIED, Why.IDENTIFIER)
        if kept is None:
            return self._as(None, element, Done.EMPTIED, why if check == "empty" else Why.VALUE)
        if element.VR == "CS":
            kept = [str(value).upper() if check == "label" else value for value in kept]
        return self._as(kept, element, Done.KEPT if kept == values else Done.LIMITED, why)

    def _pixels(self, element: DataElement) -> DataElement | None:
        if self.inside:
            return self._removed(Why.NOT_LISTED)
        pixels = self._as(bare_pixels(self.source), element, Done.KEPT, Why.NEEDED)
        pixels.is_undefined_length = element.is_undefined_length
        return pixels

    def _says_nothing(self, element: DataElement) -> bool:
        """Empty, or no contrast agent: a dummy would say that there was one."""
        texts = {str(value).strip(" \0").upper() for value in _values(element)} - {""}
        return not texts or (self.tag == _CONTRAST_AGENT and texts <= _NO_AGENT)

    def _sequence(self, element: DataElement, why: Why) -> DataElement | None:
        if element.VR != "SQ":
            return self._removed(Why.VALUE)
        inside = f"{self.inside}{tag_text(self.tag)} > "
        items = [self.rewriting.rewritten(item, inside=inside) for item in element.value]
        return self._as(items, element, Done.KEPT, why)

    def _as(self, value: Any, element: DataElement, done: Done, why: Why) -> DataElement:
        self.rewriting.note(self.tag, done, why, inside=self.inside)
        value = value[0] if isinstance(value, list) and len(value) == 1 and self._vr(element) != "SQ" else value
        return DataElement(self.tag, self._vr(element), value, validation_mode=config.IGNORE)

    def _removed(self, why: Why) -> DataElement | None:
        self.rewriting.note(self.tag, Done.REMOVED, why, inside=self.inside)
        return None

    def _vr(self, element: DataElement) -> str:
        """The dictionary's VR: a file may lie about it. Where the dictionary has none or a choice, the file's."""
        try:
            known = dictionary_VR(self.tag)
        except KeyError:
            return str(element.VR)
        return str(element.VR) if " or " in known else str(known)

    def _creator(self) -> str:
        reserved = self.tag & 0xFFFF0000 | (self.tag >> 8 & 0xFF)
        try:
            return str(self.source[reserved].value).strip(" \0")
        except Exception:  # absent, or not to be decoded
            return ""


def _values(element: DataElement) -> list[Any]:
    value = element.value
    if value is None or (isinstance(value, str | bytes) and not value):
        return []
    return [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)


def _uid(original: str, key: bytes) -> str:
    """The standard's own UIDs say nothing of a patient and stay."""
    original = original.strip(" \0")
    return original if original in UID_dictionary else mapped_uid(original, key)


def _most(tag: int) -> int | None:
    last = dictionary_VM(tag).split("-")[-1]
    return int(last) if last.isdigit() else None
