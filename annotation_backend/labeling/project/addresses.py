"""Renews the addresses of cases' pictures, because a person who leaves may have kept the old ones."""

from django.db import transaction

from annotation_backend.cases.exclusion import draw_new_addresses
from annotation_backend.cases.models import Case
from annotation_backend.labeling.signals import addresses_renewed
from annotation_backend.studies.models import Study


def renew_all_addresses(study: Study | None = None) -> int:
    """Ends the addresses of all pictures of a study at once, or of every study; the tasks in Label Studio follow.

    Those of excluded cases are closed already.

    Returns:
        The number of these cases.
    """
    cases = Case.objects.not_excluded().filter(slices__isnull=False).distinct()
    cases = cases if study is None else cases.filter(study=study)
    return sum(_renew(key) for key in list(cases.values_list("pk", flat=True)))


def _renew(key: int) -> bool:
    with transaction.atomic():
        case = Case.objects.select_for_update().filter(pk=key).first()
        if case is None or case.exclusion is not None:
            return False
        draw_new_addresses(case)
        addresses_renewed.send(sender=Case, case=case)
    return True
