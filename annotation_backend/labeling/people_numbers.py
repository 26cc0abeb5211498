"""Label Studio's number of each person: noted once, and not given to another while drawings hang on it.

Whoever has an account in Label Studio can change everybody's address there. A number that went over to another person
with an address would make one person's drawings another's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from annotation_backend.accounts.models import User
from annotation_backend.labeling.models import Annotation


def note_numbers(there: Iterable[Mapping[str, Any]]) -> list[str]:
    """Notes each person's number in Label Studio.

    Args:
        there: Its people, with `id` and `email`.

    Returns:
        One line for each number that is not noted because it is, or was, another's.
    """
    wanted = {str(row["email"]).casefold(): int(row["id"]) for row in there}
    living = set(wanted.values())
    with transaction.atomic():
        people = list(User.objects.select_for_update().order_by("pk"))
        changes = {person: number for person in people if (number := _new_number(person, wanted)) is not None}
        refused = [] if _is_made_anew() else [one for one in changes if _is_doubtful(one, changes[one], people, living)]
        taken = {person: number for person, number in changes.items() if person not in refused}
        former = Q(pk__in=[person.pk for person in taken]) | Q(label_studio_id__in=taken.values())
        User.objects.filter(former).update(label_studio_id=None)
        for person, number in taken.items():
            User.objects.filter(pk=person.pk).update(label_studio_id=number)
    return [_moved(person) for person in refused]


def _new_number(person: User, wanted: Mapping[str, int]) -> int | None:
    """The number to note; None where it is noted, or where Label Studio does not know the address (any more)."""
    number = wanted.get(person.email.casefold())
    return None if number == person.label_studio_id else number


def _is_doubtful(person: User, number: int, people: Iterable[User], living: set[int]) -> bool:
    """Whether the number is another person's here, or this person's former one is still somebody's there."""
    is_others = any(other.label_studio_id == number for other in people if other.pk != person.pk)
    return is_others or person.label_studio_id in living


def _is_made_anew() -> bool:
    """Whether nothing was drawn yet in Label Studio as it is now: one that was made anew gives numbers anew."""
    return not Annotation.objects.filter(project__is_retired=False).exists()


def _moved(person: User) -> str:
    return (
        f"Label Studio has another number for the address of account {person.pk} ({person.get_role_display()}) than "
        "before, and drawings hang on numbers; it is not taken. Did somebody change addresses there? Put them back "
        "(Account & Settings in Label Studio). [person-number]"
    )
