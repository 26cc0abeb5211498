"""Rows that are kept as they were stored: neither they nor the queries that find them change or remove one."""

from typing import Any, TypeVar

from django.db import models
from django.db.models import QuerySet

_Row = TypeVar("_Row", bound=models.Model)


class KeptQuerySet(QuerySet[_Row]):
    """Finds rows; stored ones can neither be changed nor removed."""

    def update(self, **_values: Any) -> int:
        """Refused.

        Raises:
            TypeError: Always.
        """
        raise never_changes(self.model)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused.

        Raises:
            TypeError: Always.
        """
        raise never_changes(self.model)

    def bulk_create(self, *rows: Any, **options: Any) -> list[_Row]:
        """New rows only.

        Raises:
            TypeError: The call would change rows that are there.
        """
        if options.get("update_conflicts"):
            raise never_changes(self.model)
        return super().bulk_create(*rows, **options)


class KeptRow(models.Model):
    """A row that is written once; what follows it is a row of its own."""

    class Meta:
        abstract = True

    def save(self, **kwargs: Any) -> None:
        """Stores a new row; refuses to change a stored one.

        Raises:
            TypeError: It is stored already.
        """
        if not self._state.adding:
            raise never_changes(type(self))
        super().save(**kwargs)

    def delete(self, using: Any = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Refused.

        Raises:
            TypeError: Always.
        """
        raise never_changes(type(self))


def never_changes(model: type[models.Model]) -> TypeError:
    """What is raised where code would change a kept row, or remove it."""
    return TypeError(f"A stored {model.__name__} never changes and is never removed; what follows it is another row.")
