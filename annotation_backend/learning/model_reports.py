"""Reports of models from files: evaluations, models that are tried anew, a table of cases, images and masks."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from annotation_backend.commandline.cohort_arguments import by_kind
from annotation_backend.learning.trial import (
    EvaluationCohort,
    EvaluationPlan,
    cohort_for,
    document_of,
    evaluate_model,
    mask_file,
    plain_word,
    refusals,
)
from annotation_backend.registry.chosen_model import choose_model
from datasets.errors import MaskloopError, RejectedInput
from datasets.files import write_bytes, write_json
from datasets.progress import Progress
from datasets.study.cohort import LoadedCase, load, read_cohort
from datasets.study.cohort_values import with_mask_values
from datasets.study.image_kind import T1
from training.measures.comparison import not_an_evaluation

if TYPE_CHECKING:
    from training.reports.case_images import MaskOf

EVALUATIONS, MASKS = "evaluations", "masks"
"""Folders in the report's, of models that were tried for it."""

LIST_NAME = "report.json"
"""Names the files of a report, so that the next one in its folder can take them away."""

_LIMIT = 1 << 26
"""Most bytes of an evaluation or a table of cases."""


@dataclass(frozen=True)
class ReportRequest:
    """What is reported.

    Args:
        given: Files of evaluations or names of models, each perhaps after ``NAME=``.
        out: The report's folder.
        case_table: CSV of the cases; None for none.
        cohort: Images and masks; None for none: models cannot be tried then, and there are no grey values or pictures.
        masks: Folder that ``evaluate_model --masks`` wrote; None for none.
        clicks: After how many clicks cases are measured; None for the last.
        about: A remark on the data.
    """

    given: Sequence[str]
    out: Path
    case_table: Path | None = None
    cohort: EvaluationCohort | None = None
    masks: Path | None = None
    clicks: int | None = None
    about: str = ""


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Args:
        models: Names of the models.
        cases: How many cases.
        files: Names of the files in its folder.
        findings: What should be looked at.
    """

    models: tuple[str, ...]
    cases: int
    files: tuple[str, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    """Documents by the name that was given to them, and findings."""

    documents: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def write_report(request: ReportRequest, progress_of: Callable[[str], Progress]) -> WrittenReport:
    """Reads or makes the evaluations and writes the page and its CSVs.

    Raises:
        RejectedInput: As `read_models`, `read_case_table`, `facts_of`, `choose_model` and `cohort_for`; a file cannot
            be read; a model is named without a cohort to try it on (``report-no-cohort``).
    """
    from training.reports.case_facts import facts_of, mask_differences, read_case_table
    from training.reports.case_images import images_of
    from training.reports.model_report import PAGE_NAME, model_report
    from training.reports.scores import read_models

    table = {} if request.case_table is None else read_case_table(_text(request.case_table))
    read = _Read()
    for given in request.given:
        _add(request, given, read, progress_of)
    models = read_models(read.documents, clicks=request.clicks)
    facts_of(models, table, {})  # what is refused is refused before images are read
    cases = {case for model in models for case in model.scores}
    images = images_of(_loaded(request, cases, read), models, _mask_of(request, read))
    read.findings.extend(images.findings)
    report = model_report(models, facts_of(models, table, images.grey), images.pictures, about=request.about)
    _write(request.out, {PAGE_NAME: report.page, **report.tables})
    if different := mask_differences(models):
        read.findings.append(
            f"Models were measured against different masks of {len(different)} case(s), such as {different[0]}: their "
            "volumes differ by more than 5 %. [report-other-masks]"
        )
    learned = [model.name for model in models if set(model.learned_from) & model.scores.keys()]
    if learned:
        read.findings.append(f"{', '.join(learned)} learned from cases that are reported here. [learned-from]")
    return WrittenReport(
        tuple(model.name for model in models), len(cases), (PAGE_NAME, *report.tables), tuple(read.findings)
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes the files and takes away those of an earlier report in this folder, which would pass for this one's."""
    try:
        before = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))["files"]
        stale = [folder / name for name in before if name not in files and Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        stale = []
    for path in stale:
        if path.suffix == ".csv":
            path.unlink(missing_ok=True)
    for name, content in files.items():
        write_bytes(folder / name, content.encode())
    write_json(folder / LIST_NAME, {"files": list(files)})


def _add(request: ReportRequest, given: str, read: _Read, progress_of: Callable[[str], Progress]) -> None:
    """Reads one evaluation, or tries one model."""
    name, is_named, rest = given.partition("=")
    if not is_named or Path(given).exists():
        name, rest = "", given
    if Path(rest).is_file():
        document = _document(Path(rest))
        read.documents.append((name, document))
        read.documents.extend(("", each) for each in document.get("against", ()))
        return
    model = choose_model(rest)
    if request.cohort is None:
        raise RejectedInput(
            "report-no-cohort",
            f"{model.title} is a model, and there is no cohort to try it on.",
            remedy="Give --cohort, --image-glob and --mask-glob, or the file of an evaluation instead.",
        )
    cohort = cohort_for(model, request.cohort)
    found = evaluate_model(
        model,
        cohort.cases,
        EvaluationPlan(seeds=1) if request.clicks is None else EvaluationPlan(clicks=request.clicks, seeds=1),
        resample=request.cohort.resample,
        masks=request.out / MASKS,
        progress=progress_of(f"{model.title}: session"),
    )
    document = document_of(found, model, cohort)
    write_json(request.out / EVALUATIONS / f"{plain_word(model.title)}.json", document)
    read.documents.append((name, document))
    read.findings.extend(refusals(found, cohort.findings))


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path), parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        raise not_an_evaluation() from error
    if not isinstance(found, dict):
        raise not_an_evaluation()
    return found


def _refuse_number(value: str) -> NoReturn:
    raise RejectedInput(
        "report-number",
        f"An evaluation holds {value}, which is no number.",
        remedy="Write the evaluation again with evaluate_model --json; do not change it by hand.",
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LIMIT:
            raise OSError
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise RejectedInput(
            "report-file",
            "A file of an evaluation or of the cases cannot be read as text, or is larger than 64 MB.",
            remedy="Check the paths.",
        ) from error


def _mask_of(request: ReportRequest, read: _Read) -> "MaskOf":
    """Finds masks by the titles of the models, whatever the report calls them."""
    titles: dict[str, list[str]] = {}
    for name, document in read.documents:
        titles.setdefault(name or str(document["model"]), []).append(str(document["model"]))
    folders = [folder for folder in (request.masks, request.out / MASKS) if folder is not None]

    def found(name: str, case: str) -> Path | None:
        paths = (mask_file(folder, title, case) for folder in folders for title in titles[name])
        return next((path for path in paths if path.is_file()), None)

    return found


def _loaded(request: ReportRequest, wanted: set[str], read: _Read) -> Iterator[LoadedCase]:
    if request.cohort is None:
        return
    given = request.cohort
    cohort = read_cohort(given.folder, by_kind(given.images, T1), given.mask)
    for case in with_mask_values(cohort, given.folder, given.mask_value).cases:
        if case.case in wanted:
            try:
                yield load(case, resample=given.resample)
            except MaskloopError as error:
                read.findings.append(f"{case.case}: its images are not shown: {error.message} [{error.code}]")
