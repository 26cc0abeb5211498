"""What `up` decides before it starts anything: which study is meant, what it begins with, and what its people are told.

The study is made where there is none of that name, with the first accounts' roles in it.
"""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from annotation_backend.cases.ingesting.studies_folder import PHANTOM
from annotation_backend.registry.prompt_services import prompt_services
from annotation_backend.studies.models import Study
from annotation_backend.studies.people import add_first_accounts
from annotation_backend.studies.services import create_study, ensure_study, find_study
from datasets.errors import RejectedInput
from datasets.study.protocol_document import read_protocol
from datasets.study.shipped_protocols import FIRST, protocol_text


def meant_study(name: str | None, protocol: str | None, *, has_data: bool) -> Study | None:
    """The study that is meant; None where there are several, none is named, and no data needs one.

    One that nobody has a role in becomes the first accounts'.

    Args:
        name: As a person named it.
        protocol: A protocol that comes along, or the path of a document, with which the study is made.
        has_data: Whether a folder of studies was given.

    Raises:
        RejectedInput: The name or the document is none (see `create_study`), the study has another protocol
            (``study-other-protocol``), or data is for one of several studies and none was named (``study-unsaid``).
    """
    if protocol is not None:
        study = _with_protocol(name, protocol_text(protocol))
    elif name is None and not has_data and Study.objects.count() > 1:
        return None
    else:
        study = ensure_study(name or FIRST) if name or not Study.objects.exists() else find_study(None)
    if not study.memberships.exists():
        add_first_accounts(study)
    return study


def _with_protocol(name: str | None, document: str) -> Study:
    """The study of a name, or of the protocol's, which has this protocol."""
    protocol = read_protocol(document)
    known = Study.objects.filter(name=name or protocol.name).first()
    if known is None:
        return create_study(name or protocol.name, document)
    if known.protocol.digest != protocol.digest:
        raise RejectedInput(
            "study-other-protocol",
            f"The study {known} has another protocol ({known.protocol.name} {known.protocol.version}).",
            remedy="Leave the protocol out; or give the study a later version with `manage.py change_protocol`, or "
            "name another study.",
        )
    return known


def phantom_folder(study: Study) -> Path:
    """A phantom cohort of a study's protocol as DICOM, written now."""
    from datasets.phantom.protocol_cohort import write_cohort_of

    folder = study.folder / PHANTOM
    write_cohort_of(study.protocol, folder)
    return folder


def notes_on_models() -> Iterator[str]:
    """A line for each kind of prompt of a study that no model answers, or one whose fit is doubtful."""
    for study in Study.objects.all():
        for service in prompt_services(study):
            if service.note:
                yield f"{study}: {service}"


def addresses() -> Iterator[str]:
    """A line for each address that people open: where they sign in, the way into Label Studio, those of every study."""
    yield f"Sign in    {settings.MASKLOOP_URL}/"
    yield f"Labelling  {settings.MASKLOOP_URL}/studio/"
    for study in Study.objects.all():
        place = f"{settings.MASKLOOP_URL}/studies/{study}/"
        yield f"{study} ({study.protocol.title})"
        yield f"  Review     {place}review/"
        yield f"  Releases   {place}releases/"
