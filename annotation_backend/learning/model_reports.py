"""Reports of models from files: evaluations, models that are tried anew, a table of cases, images and masks."""

import json
from collections import Counter
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
    require_names,
)
from annotation_backend.registry.chosen_model import ChosenModel
from annotation_backend.registry.tried_models import name_and_rest, named_model
from datasets.errors import MaskloopError, RejectedInput
from datasets.files import sha256_of_file, write_bytes, write_json
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
        RejectedInput: As `read_models`, `read_case_table`, `facts_of`, `named_model` and `cohort_for`; a file cannot
            be read; a model is named without a cohort to try it on (``report-no-cohort``); two models that are tried
            have one name (``models-one-name``).
    """
    from training.reports.case_facts import facts_of, mask_differences
    from training.reports.case_images import images_of
    from training.reports.model_report import PAGE_NAME, model_report
    from training.reports.scores import read_models

    table = case_table(request.case_table)
    read = _Read()
    tried = {given: named_model(given) for given in request.given if not _is_file(given)}
    require_names([tried[given] for given in request.given if given in tried])
    for given in request.given:
        if given in tried:
            _try(request, tried[given], read, progress_of)
        else:
            _read_file(given, read)
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
    read.findings.extend(_cleaned_apart(read.documents))
    learned = [model.name for model in models if set(model.learned_from) & model.scores.keys()]
    if learned:
        read.findings.append(f"{', '.join(learned)} learned from cases that are reported here. [learned-from]")
    return WrittenReport(
        tuple(model.name for model in models), len(cases), (PAGE_NAME, *report.tables), tuple(read.findings)
    )


def _cleaned_apart(documents: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A finding where folds whose masks were cleaned stand beside folds whose masks were not."""
    cleaned: dict[bool, list[str]] = {}
    for name, document in documents:
        if document["summary"].get("folds"):
            is_cleaned = bool(document["summary"].get("cleanings"))
            cleaned.setdefault(is_cleaned, []).append(name or str(document["model"]))
    if len(cleaned) < 2:
        return []
    return [
        f"Masks of {', '.join(cleaned[True])} were cleaned as is best for the other folds, those of "
        f"{', '.join(cleaned[False])} not (--raw, or an earlier version): evaluate them alike. [report-other-cleaning]"
    ]


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


def case_table(path: Path | None) -> dict[str, dict[str, str]]:
    """The rows of a file of cases, by case; none where there is no file.

    Raises:
        RejectedInput: It cannot be read, or is no table of cases.
    """
    from training.reports.case_facts import read_case_table

    return {} if path is None else read_case_table(_text(path))


def _is_file(given: str) -> bool:
    return Path(name_and_rest(given)[1]).is_file()


def _read_file(given: str, read: _Read) -> None:
    name, path = name_and_rest(given)
    document = _document(Path(path))
    read.documents.append((name, document))
    read.documents.extend(("", each) for each in document.get("against", ()))


def _try(request: ReportRequest, model: ChosenModel, read: _Read, progress_of: Callable[[str], Progress]) -> None:
    """Tries one model; its masks and its evaluation lie under its name."""
    if request.cohort is None:
        raise RejectedInput(
            "report-no-cohort",
            f"{model.title} is a model, and there is no cohort to try it on.",
            remedy="Give --cohort, --image-glob and --mask-glob, or the file of an evaluation instead.",
        )
    cohort, masks = cohort_for(model, request.cohort), request.out / MASKS
    found = evaluate_model(
        model,
        cohort.cases,
        EvaluationPlan(seeds=1) if request.clicks is None else EvaluationPlan(clicks=request.clicks, seeds=1),
        resample=request.cohort.resample,
        masks=masks,
        progress=progress_of(f"{model.title}: session"),
    )
    document = document_of(found, model, cohort, masks=masks)
    write_json(request.out / EVALUATIONS / f"{plain_word(model.title)}.json", document)
    read.documents.append((model.title, document))
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
    """Finds masks by the titles of the models, whatever the report calls them.

    Raises:
        RejectedInput: The mask that lies there is another model's, or of another time (``report-other-mask``).
    """
    documents: dict[str, list[dict[str, Any]]] = {}
    for name, document in read.documents:
        documents.setdefault(name or str(document["model"]), []).append(document)
    owners = Counter(title for those in documents.values() for title in {str(each["model"]) for each in those})
    folders = [folder for folder in (request.masks, request.out / MASKS) if folder is not None]

    def found(name: str, case: str) -> Path | None:
        of_case = (each for each in documents[name] if any(row["case"] == case for row in each["cases"]))
        pairs = [(each, mask_file(folder, str(each["model"]), case)) for each in of_case for folder in folders]
        there = [(each, path) for each, path in pairs if path.is_file()]
        own = (path for each, path in there if _is_own(each, case, path, alone=owners[str(each["model"])] == 1))
        mask = next(own, None)
        if mask is None and there:
            raise RejectedInput(
                "report-other-mask",
                "The mask that lies there is not the one that was evaluated.",
                remedy="Let evaluate_model write masks and evaluation at once, each model under its own name.",
            )
        return mask

    return found


def _is_own(document: Mapping[str, Any], case: str, path: Path, *, alone: bool) -> bool:
    """Whether a mask is the one that was evaluated; where an earlier version does not say, by its title alone."""
    digests = document["summary"].get("masks")
    return digests.get(case) == sha256_of_file(path) if isinstance(digests, dict) else alone


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
