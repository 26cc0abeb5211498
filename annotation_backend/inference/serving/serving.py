"""The model that answers in this process: the promoted one as soon as it is loaded, never a broken one.

A promotion is a row that every process reads. Each process loads the promoted model beside the one that answers, and
switches when the new one has drawn once (`loaded.py`). Until `TAKEN_UP_SECONDS` after the promotion no request waits
for that; later a request waits for the loading to end. A package that cannot be loaded never takes over: the log says
so, and the model promoted before it goes on.
"""

import logging
import threading
import time
from dataclasses import dataclass, field

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from annotation_backend.inference.serving.loaded import is_loaded, segmenter_of
from annotation_backend.registry.model_registry import first_label, serving_model
from annotation_backend.registry.models import Model, Promotion, PromptKind
from annotation_backend.registry.prompt_services import newest_promotions
from annotation_backend.studies.models import Study
from datasets.errors import RejectedInput

logger = logging.getLogger(__name__)

TAKEN_UP_SECONDS = 4.0
"""Every process answers with a promoted model this long after its promotion, or as soon after as it is loaded."""

WATCH_SECONDS = 1.0
"""How often an idle web process looks for promotions."""

BROKEN_SECONDS = 60.0
"""A package that could not be loaded is tried again after this long: it may have been restored."""

WARMED = (PromptKind.POINT, PromptKind.EXTREME_POINTS, PromptKind.BOX, PromptKind.AUTOMATIC)
"""In this order: click models are ready in a second, LiteMedSAM in several."""


@dataclass(frozen=True)
class Place:
    """Where a model serves.

    Args:
        study: Key of the study.
        kind: Of prompts.
        label: That they draw.
    """

    study: int
    kind: PromptKind
    label: str


@dataclass(frozen=True)
class _Failure:
    """A package that could not be loaded, and when."""

    error: RejectedInput
    at: float


@dataclass(frozen=True)
class KnownModels:
    """What a process found out about its models; it forgets that when it ends.

    Args:
        answering: Digest of the model that answered last, by study, kind and label.
        broken: Packages that could not be loaded, by digest.
        loading: The thread that loads a model, or did, by digest.
    """

    answering: dict["Place", str] = field(default_factory=dict)
    broken: dict[str, _Failure] = field(default_factory=dict)
    loading: dict[str, threading.Thread] = field(default_factory=dict)


known = KnownModels()
"""Of this process."""

_warming: threading.Thread | None = None
_lock = threading.Lock()


def model_for(kind: PromptKind, study: Study, label: str = "") -> Model:
    """The model that answers prompts of `kind` in a study in this process now; keep it for the whole request.

    Args:
        kind: Of the prompts.
        study: The case's.
        label: That the prompts draw; empty for the study's first.

    Raises:
        RejectedInput: None was promoted (``no-serving-model``), or no promoted package can be loaded.
    """
    place = Place(study.pk, kind, label or first_label(study))
    promoted = _promoted(place)
    if promoted is None:
        return _first_that_loads(place, study)
    if is_loaded(promoted.model):
        return _answers(place, promoted.model)
    before = _before(place, promoted.model)
    if before is not None:
        loading = _load_beside(promoted.model)
        age = (timezone.now() - promoted.created).total_seconds()
        if 0.0 <= age < TAKEN_UP_SECONDS and loading.is_alive():
            return before
        loading.join()
    return _first_that_loads(place, study)


def promoted_model(kind: PromptKind, study: Study, label: str = "") -> Model:
    """The model that answers prompts of `kind` in a study once it is loaded; loads nothing.

    Args:
        kind: Of the prompts.
        study: The case's.
        label: That the prompts draw; empty for the study's first.

    Raises:
        RejectedInput: None was promoted (``no-serving-model``).
    """
    promoted = _promoted(Place(study.pk, kind, label or first_label(study)))
    return serving_model(kind, study, label) if promoted is None else promoted.model


def warm_up() -> None:
    """Loads the promoted models in the background, so that the first prompt does not wait; returns at once."""
    global _warming
    with _lock:
        if _warming is None or not _warming.is_alive():
            _warming = threading.Thread(target=_warm_quietly, name="warming", daemon=True)
            _warming.start()


def watch_promotions() -> None:
    """Warms up now and after every promotion, for as long as the process lives; returns at once."""
    global _warming
    with _lock:
        _warming = threading.Thread(target=_watch, name="promotions", daemon=True)
        _warming.start()


def _watch() -> None:
    while True:
        _warm_quietly()
        time.sleep(WATCH_SECONDS)


def _warm_quietly() -> None:
    """Loads one model after the other: in parallel each would take as long as all."""
    try:
        promoted = newest_promotions(without=recently_broken())
        for promotion in sorted(promoted, key=lambda row: WARMED.index(PromptKind(row.prompt_kind))):
            if not is_loaded(promotion.model):
                _load_beside(promotion.model).join()
    except DatabaseError as error:  # not migrated yet, or not reachable: requests will say so
        logger.debug("promotions cannot be read (%s)", type(error).__name__)
    finally:
        close_old_connections()


def _promoted(place: Place) -> Promotion | None:
    """The newest promotion whose model is not known to be broken: one query, by the primary key downwards."""
    found = Promotion.objects.filter(study=place.study, prompt_kind=place.kind, label=place.label)
    if broken := recently_broken():
        found = found.exclude(model__digest__in=broken)
    return found.select_related("model").first()


def recently_broken() -> list[str]:
    """Digests of models that could not be loaded a short while ago."""
    return [digest for digest, failure in list(known.broken.items()) if _is_recent(failure)]


def _before(place: Place, promoted: Model) -> Model | None:
    """The model that answered before `promoted`, if it is still loaded."""
    digest = known.answering.get(place)
    if digest is None or digest == promoted.digest:
        return None
    found = Model.objects.filter(digest=digest).first()
    return found if found is not None and is_loaded(found) else None


def _first_that_loads(place: Place, study: Study) -> Model:
    """The newest promoted model that can be loaded."""
    while (promoted := _promoted(place)) is not None:
        try:
            _load(promoted.model)
        except RejectedInput:
            continue
        return _answers(place, promoted.model)
    failure = known.broken.get(serving_model(place.kind, study, place.label).digest)
    if failure is not None:
        raise failure.error
    raise _none_left(place.kind, study)


def _answers(place: Place, model: Model) -> Model:
    if known.answering.get(place) != model.digest:
        logger.info("%s answers %s prompts from now on", model, place.kind.label)
        known.answering[place] = model.digest
    return model


def _none_left(kind: PromptKind, study: Study) -> RejectedInput:
    return RejectedInput(
        "no-serving-model",
        f"No promoted model for {kind.label} prompts of {study} can be loaded.",
        remedy="Restore the models folder from its backup, or promote another with `manage.py promote_model`.",
    )


def _load_beside(model: Model) -> threading.Thread:
    """The thread that loads a model, started if there is none."""
    with _lock:
        running = known.loading.get(model.digest)
        if running is None or not running.is_alive():
            running = threading.Thread(target=_load_quietly, args=(model,), name=f"loading {model}", daemon=True)
            known.loading[model.digest] = running
            running.start()
        return running


def _load_quietly(model: Model) -> None:
    try:
        _load(model)
    except RejectedInput:
        return
    finally:
        close_old_connections()


def _load(model: Model) -> None:
    try:
        segmenter_of(model)
    except RejectedInput as error:
        _note_broken(model, error)
        raise
    except Exception as error:  # torch or OpenVINO may raise anything on a malformed package
        refused = RejectedInput(
            "model-unusable",
            f"The model fails when it is loaded ({type(error).__name__}).",
            remedy="Promote another model, or train or convert this one again.",
        )
        _note_broken(model, refused)
        raise refused from error
    known.broken.pop(model.digest, None)


def _note_broken(model: Model, error: RejectedInput) -> None:
    logger.error("%s was promoted and cannot be loaded; the model before it goes on: %s", model, error)
    known.broken[model.digest] = _Failure(error, time.monotonic())


def _is_recent(failure: _Failure) -> bool:
    return time.monotonic() - failure.at < BROKEN_SECONDS
