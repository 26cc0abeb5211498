"""`compare_annotations`: the versions of a slice, and how two of them differ."""

from argparse import ArgumentParser
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand
from annotation_backend.labeling.models import Annotation
from annotation_backend.labeling.versions.decoded_masks import stored_masks
from annotation_backend.labeling.versions.versions import differences, is_restorable, task_of_slice, version_of
from annotation_backend.studies.arguments import add_study_of_code, study_said
from datasets.errors import RejectedInput


class Command(MaskloopCommand):
    """Lists the versions; with two numbers, compares those."""

    help = "List the versions of a slice, or compare two of them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The slice, and the versions."""
        parser.add_argument("case", help="the case's code")
        parser.add_argument("slice", type=int, help="the slice's index")
        parser.add_argument("versions", type=int, nargs="*", metavar="VERSION", help="two numbers; none to list all")
        add_study_of_code(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Lists a slice's versions, or compares two of them."""
        task = task_of_slice(options["case"], options["slice"], study=study_said(options))
        if not options["versions"]:
            rows = Annotation.objects.filter(task=task).select_related("task__case", "author")
            found = [_described(row) for row in rows]
            self.say("\n".join(f"{row['number']}: {row['saved_at']}, {row['author']}, {row['areas']}" for row in found))
            return {"versions": found}, []
        one, other = (version_of(task, number) for number in _two(options["versions"]))
        labels = [vars(row) for row in differences(one, other)]
        for row in labels:
            self.say("{label}: {area_one} -> {area_other} pixels, +{added} -{removed}, Dice {dice:.3f}".format(**row))
        return {"one": _described(one), "other": _described(other), "labels": labels}, []


def _two(numbers: list[int]) -> list[int]:
    if len(numbers) != 2:
        raise RejectedInput(
            "two-versions", f"Expected two versions to compare, got {len(numbers)}.", remedy="Give two, or none."
        )
    return numbers


def _described(version: Annotation) -> dict[str, Any]:
    """A version; its author is left out unless Label Studio confirmed it and a known person drew it."""
    is_proved = is_restorable(version)
    return {
        "number": version.number,
        "saved_at": version.saved_at.isoformat(),
        "author": str(version.author) if version.author and is_proved else None,
        "received_by": version.received_by,
        "was_cancelled": version.was_cancelled,
        "is_deleted": version.is_deleted,
        "is_proved": is_proved,
        "content_sha256": version.content_sha256,
        "areas": stored_masks(version).areas,
    }
