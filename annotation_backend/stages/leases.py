"""Signs of work make a person's lease begin again; what nobody works on any more is given back."""

from django.db.models import Q

from annotation_backend.accounts.models import User
from annotation_backend.cases.models import Case
from annotation_backend.stages.assigning import lapse, renew
from annotation_backend.stages.leaving import give_back_of_who_left
from annotation_backend.stages.models import WHOLE_CASE, Assignment, AssignmentState
from annotation_backend.stages.spreading import spread_waiting


def note_work(person: User | None, case: Case, index: int | None = None) -> int:
    """Renews the leases of a person on a case, because they saved, drew, prompted or looked there.

    Args:
        person: Who worked; None where nobody knows.
        case: The case.
        index: The slice; None where it is not known, or the work is about the case.

    Returns:
        How many leases began again.
    """
    if person is None:
        return 0
    open_ones = Assignment.objects.filter(
        row__case=case, person=person, state=AssignmentState.OPEN, lease_until__isnull=False
    )
    if index is not None:
        held = Q(slices__slice_index__in=(index, WHOLE_CASE), slices__is_held=True)
        open_ones = open_ones.filter(held).distinct()
    return sum(renew(one) is not None for one in open_ones.select_related("row__case__study"))


def keep_order() -> int:
    """Ends leases that ran out and work of people who left, and gives out what waits for somebody; how many changes."""
    return lapse() + give_back_of_who_left() + spread_waiting()
