"""`build_release`: a frozen NIfTI dataset of the approved cases."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from annotation_backend.commandline.arguments import MaskloopCommand, a_path
from annotation_backend.publishing.contents.selection import CaseSelection
from annotation_backend.publishing.contents.texts import with_texts
from annotation_backend.publishing.services import planned_release, publish_release
from annotation_backend.studies.arguments import add_study, study_of
from datasets.errors import RejectedInput
from datasets.study.case import QualityScore

_MOST_LICENCE_BYTES = 1 << 20


class Command(MaskloopCommand):
    """Builds a release; the same approved cases give the same bytes."""

    help = "Build a release of the approved cases and verify it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        """The release's name, version, licence and texts, and which cases go in."""
        parser.add_argument("name", help="e.g. thigh-tumours")
        parser.add_argument("version", help="e.g. 1.0.0; a published version never changes")
        parser.add_argument("--licence", required=True, help="SPDX name of the data's licence, e.g. CC-BY-4.0")
        parser.add_argument("--seed", type=int, default=0, help="seed of the suggested folds")
        add_study(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would go in")
        _add_query(parser)
        _add_texts(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], list[str]]:
        """Builds a release, verifies it and records it."""
        from datasets.release.settings import ReleaseSettings

        study, selection = study_of(options), _selection(options)
        named = ReleaseSettings(options["name"], options["version"], options["licence"], seed=options["seed"])
        settings = with_texts(named, options["texts"], _given(options))
        if options["dry_run"]:
            planned = planned_release(study, settings, selection)
            self.say(f"{len(planned.codes)} approved case(s) would go in: {', '.join(planned.codes)}")
            return {"cases": list(planned.codes)}, [str(finding) for finding in planned.findings]
        built = publish_release(study, settings, selection=selection, progress_of=lambda: self.progress("writing case"))
        self.say(f"{built.release}: {built.release.cases.count()} case(s), digest {built.release.digest}")
        if built.taken_over:
            self.say(f"{built.taken_over} of them are as in an earlier version, whose files they share.")
        if built.corrected:
            self.say(f"It corrects {', '.join(map(str, built.corrected))}.")
        if built.absence is not None:
            self.say(built.absence.sentence)
        self.say(f"It lies in {built.release.path}")
        findings = [str(finding) for finding in (*built.findings, *built.report.findings)]
        return {
            "release": str(built.release),
            "digest": built.release.digest,
            "folder": str(built.release.path),
            "taken_over": built.taken_over,
            "corrected": [erratum.number for erratum in built.corrected],
            "withdrawn_absent": None if built.absence is None else built.absence.is_proven,
        }, findings


def _add_query(parser: ArgumentParser) -> None:
    query = parser.add_argument_group("which approved cases go in (default: all of them; each may be given repeatedly)")
    query.add_argument("--stage", action="append", default=[], metavar="NAME", help="those that passed this stage")
    query.add_argument("--tissue-type", action="append", default=[], metavar="TYPE", help="those of this tissue type")
    scores = [score.value for score in QualityScore]
    query.add_argument("--score", action="append", default=[], choices=scores, help="those of this quality score")
    query.add_argument("--case", action="append", default=[], metavar="CODE", help="this case")
    query.add_argument("--consent", action="store_true", help="only those whose patients' consent is recorded")


def _add_texts(parser: ArgumentParser) -> None:
    texts = parser.add_argument_group("texts (each goes before the document's)")
    texts.add_argument("--texts", type=a_path, metavar="FILE", help="TOML document of the texts")
    texts.add_argument("--description", default="", help="one paragraph for the dataset card")
    texts.add_argument("--masks-made-by", default="", metavar="TEXT", help="who made the masks and how, without names")
    texts.add_argument(
        "--known-limit", action="append", default=[], metavar="TEXT", help="what a reader must know; repeatable"
    )
    texts.add_argument("--citation", action="append", default=[], metavar="TEXT", help="work to cite; repeatable")
    texts.add_argument("--licence-text", type=a_path, metavar="FILE", help="the licence in full, for LICENSE")


def _selection(options: dict[str, Any]) -> CaseSelection:
    return CaseSelection(
        stages=tuple(options["stage"]),
        tissue_types=tuple(options["tissue_type"]),
        scores=tuple(QualityScore(score) for score in options["score"]),
        cases=tuple(options["case"]),
        needs_consent=options["consent"],
    )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": options["description"],
        "masks_made_by": options["masks_made_by"],
        "known_limits": options["known_limit"],
        "citations": options["citation"],
        "licence_text": _licence_text(options["licence_text"]),
    }


def _licence_text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        if path.stat().st_size <= _MOST_LICENCE_BYTES:
            return path.read_text(encoding="utf-8")
    except ValueError:
        pass
    raise RejectedInput(
        "licence-unreadable",
        "The licence's file is no text in UTF-8 of at most 1 MB.",
        remedy="Save it as plain text.",
    )
