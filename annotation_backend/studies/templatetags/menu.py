"""The menu of a study's pages: groups, and below them the pages of the group that the page at hand belongs to."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template import Context

from annotation_backend.accounts.models import Role
from annotation_backend.studies.addresses import page_of

register = template.Library()

REVIEWERS = frozenset({Role.RADIOLOGIST, Role.DATA_MANAGER, Role.ADMINISTRATOR})
MANAGERS = frozenset({Role.DATA_MANAGER, Role.ADMINISTRATOR})


@dataclass(frozen=True)
class MenuPage:
    """A page in the menu.

    Args:
        title: Its words.
        name: Its address's name.
        below: Names of the addresses of pages that one comes to from it.
        roles: Who sees it.
    """

    title: str
    name: str
    below: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset(Role)


MENU: dict[str, tuple[MenuPage, ...]] = {
    "Work": (
        MenuPage("My work", "my-work", ("next-slice", "next-case", "own-piece", "review-comments")),
        MenuPage("Labelling", "studio-of-study"),
        MenuPage("How my masks compare", "own-controls"),
        MenuPage("Everybody’s work", "work-table", roles=MANAGERS),
    ),
    "Review": (
        MenuPage("Queue", "review-queue", ("review-case", "review-correct", "review-comments"), REVIEWERS),
        MenuPage("Several at once", "bulk-verdicts", (), REVIEWERS),
        MenuPage("Adjudication", "adjudication-list", ("adjudication",), REVIEWERS),
        MenuPage("Agreement", "agreement", ("agreement-case",), REVIEWERS),
        MenuPage("Findings", "finding-list", (), REVIEWERS),
        MenuPage("Control cases", "control-list", (), MANAGERS),
    ),
    "Data": (
        MenuPage("Cases", "case-list", ("case-page", "patient-page", "slice-versions", "compare-versions")),
        MenuPage("Registrations", "registration-queue", ("registration-page", "registration-of-image"), REVIEWERS),
        MenuPage("Cohort", "cohort-report", (), REVIEWERS),
        MenuPage("Models", "model-list", ("model-page", "model-compare", "run-page")),
        MenuPage("Releases", "release-list", ("release-page", "erratum-list", "erratum-page", "erratum-report")),
        MenuPage("Withdrawn patients", "withdrawal-list", (), MANAGERS),
    ),
    "Study": (
        MenuPage("Protocol", "study"),
        MenuPage("Dashboard", "dashboard", (), REVIEWERS),
        MenuPage("People", "people", (), MANAGERS),
        MenuPage("Audit log", "audit-log", (), MANAGERS),
        MenuPage("Settings", "project-settings", (), MANAGERS),
    ),
}


@register.inclusion_tag("menu.html", takes_context=True)
def menu(context: Context) -> dict[str, Any]:
    """The groups that the person at a study's page may see, and the pages of the group that it belongs to.

    A page that belongs to two groups is shown in the last of them that the person sees.
    """
    match = context["request"].resolver_match
    here = match.url_name if match is not None else ""
    shown = {title: [page for page in pages if context["role"] in page.roles] for title, pages in MENU.items()}
    shown = {title: pages for title, pages in shown.items() if pages}
    at = [title for title, pages in shown.items() if any(here in (page.name, *page.below) for page in pages)][-1:]
    return {
        "groups": [
            {"title": title, "address": _address(context, pages[0]), "is_here": [title] == at}
            for title, pages in shown.items()
        ],
        "pages": [
            {"title": one.title, "address": _address(context, one), "here": _where(one, here)}
            for title in at
            for one in shown[title]
        ],
        "study": context["study"],
    }


def _address(context: Context, page: MenuPage) -> str:
    if page.name == "studio-of-study":
        return str(context["labelling_url"]())
    return page_of(context["study"], page.name)


def _where(page: MenuPage, here: str) -> str:
    """The value of ``aria-current``: this page, or one that lies below it; empty for another."""
    if here == page.name:
        return "page"
    return "true" if here in page.below else ""
