"""Which of the protocols that come along would fit a folder that fits its study's protocol in no patient."""

from collections.abc import Mapping

from curation.names.role_names import RoleNames
from curation.pairing.series_choice import Pairing
from curation.scanning.found_series import FolderScan
from curation.scanning.found_volumes import named_for
from curation.series.ranking import judge_patient
from datasets.finding import Finding, Level
from datasets.study.protocol import Protocol
from datasets.study.shipped_protocols import shipped_names, shipped_protocol


def fits_nobody(scan: FolderScan, protocol: Protocol, pairing: Pairing) -> list[Finding]:
    """The finding that no patient of a folder has the images that a protocol requires, and which protocol would fit.

    Args:
        scan: What the folder holds, scanned for the protocol.
        protocol: The study's.
        pairing: What was made of the scan; where any patient has a case, or would have one by a person's choice, there
            is nothing to say.
    """
    if pairing.pairs or any(patient.is_question for patient in pairing.patients) or not scan.series:
        return []
    wanted = " and ".join(image.title for image in protocol.images if image.is_required)
    others = {name: _patients_with(scan, shipped_protocol(name)) for name in shipped_names() if name != protocol.name}
    fitting = {name: count for name, count in others.items() if count}
    message = f"No patient of this folder has what the protocol {protocol.name} requires: {wanted}."
    remedy = "Check that this is the right folder, or choose the series that are meant."
    if fitting:
        named = ", ".join(f"{name} ({_of(count, scan)})" for name, count in _most_first(fitting))
        message += f" Images for these protocols were found: {named}."
        remedy = "Use a study with one of these protocols, or check that this is the right folder."
    return [Finding(Level.ERROR, "protocol-fits-nobody", message, remedy, "the folder")]


def _patients_with(scan: FolderScan, protocol: Protocol) -> int:
    """How many patients have a candidate for each image that a protocol requires."""
    roles = RoleNames(protocol)
    series = [named_for(found, protocol, roles) for found in scan.series]
    count = 0
    for key in scan.patient_keys:
        judged = judge_patient([found for found in series if found.patient_key == key], protocol)
        count += all(any(one.fits(role) for one in judged) for role in protocol.required)
    return count


def _most_first(fitting: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(fitting.items(), key=lambda one: (-one[1], one[0]))


def _of(count: int, scan: FolderScan) -> str:
    return f"{count} of {len(scan.patient_keys)} patients"
