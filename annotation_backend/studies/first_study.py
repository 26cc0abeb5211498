"""The study of everything that was made before there were studies; only migrations use it."""

from collections.abc import Callable
from typing import Any

from datasets.study.shipped_protocols import FIRST, shipped_protocol, shipped_text


def first_study(apps: Any) -> Any:
    """The first study of an installation that is older than studies; made where it is not there yet.

    Its cases' files stay where they lie, below the data folder itself. Everybody keeps their role in it; an
    administrator needs none.

    Args:
        apps: The models as the migration knows them.
    """
    study, is_new = apps.get_model("studies", "Study").objects.get_or_create(name=FIRST, defaults={"is_first": True})
    if is_new:
        versions = apps.get_model("studies", "ProtocolVersion").objects
        versions.create(study=study, document=shipped_text(FIRST), digest=shipped_protocol(FIRST).digest)
        memberships = apps.get_model("studies", "Membership").objects
        for person in apps.get_model("accounts", "User").objects.all():
            if person.role != "administrator":
                memberships.create(study=study, person=person, role=person.role)
    return study


def belonging_to_first(app: str, *names: str) -> Callable[[Any, Any], None]:
    """A migration's step that gives all rows of some models to the first study.

    Args:
        app: The models' app.
        names: The models' names.
    """

    def give(apps: Any, _editor: Any) -> None:
        for name in names:
            rows = apps.get_model(app, name).objects.filter(study__isnull=True)
            if rows.exists():
                rows.update(study=first_study(apps))

    return give
