"""What was made before there were studies becomes one study, in which everybody keeps their role; an administrator
needs none."""

from typing import Any

from django.db import migrations

OLDER = (
    *(("accounts", "User"), ("cases", "Patient"), ("cases", "Ingest"), ("registry", "Promotion")),
    *(("labeling", "LabelingProject"), ("learning", "Snapshot"), ("publishing", "Release")),
)
"""Models with rows of an installation that was in use; a fresh one has none, and gets no study here."""

DIGEST = "21f3cc3fb0e46670a492675bcf05426760cd2283f6aeb378535ae765b7d9482f"

DOCUMENT = """# MSTT-199: soft-tissue tumours on a T1 and a fat-suppressed T2, drawn on T1 where the tumour is of fat, else on T2.
# Source: the MSTT-199 paper, sections 2.2 and 2.3.

name = "mstt-199"
version = 1
title = "Soft-tissue tumours on T1 and fat-suppressed T2"
drawn = "t2"
tissue_types = ["fibrous", "fat", "myxoid", "nerve", "vascular"]

[drawn_by_tissue_type]
fat = "t1"

[[images]]
name = "t1"
title = "T1"
modality = "MR"
weighting = "T1"
fat_suppression = "refuse"
contrast = "refuse"
plane = "axial"
aliases = ["t1w"]

[[images]]
name = "t2"
title = "T2"
modality = "MR"
weighting = "T2"
fat_suppression = "require"
contrast = "avoid"
plane = "axial"
aliases = ["t2w", "stir", "tirm"]

# Where two labels are drawn on one voxel, the earlier one counts.
[[labels]]
value = 1
name = "Tumour"
colour = "#e8590c"
key = "1"
prompted = true
imported_names = ["gtv_mass", "tumour", "tumor", "mass", "lesion", "gtv"]

[[labels]]
value = 2
name = "Oedema"
colour = "#1098ad"
key = "7"
offered = false
imported_names = ["gtv_edema", "oedema", "edema"]

[[stages]]
name = "annotate"
title = "Drawing"
done_by = "annotator"
unit = "slice"

[[stages]]
name = "review"
title = "Review"
done_by = "radiologist"
after = ["annotate"]
returns_to = "annotate"
"""
"""The protocol of an installation of that time, as it was written down first."""


def make(apps: Any, _editor: Any) -> None:
    """Makes the study; its cases' files stay where they lie, below the data folder itself."""
    if not any(apps.get_model(app, name).objects.exists() for app, name in OLDER):
        return
    studies = apps.get_model("studies", "Study").objects
    if studies.exists():  # this was undone and is done again; nothing of it went
        return
    study = studies.create(name="mstt-199", document=DOCUMENT, is_first=True)
    apps.get_model("studies", "ProtocolVersion").objects.create(study=study, document=DOCUMENT, digest=DIGEST)
    memberships = apps.get_model("studies", "Membership").objects
    for person in apps.get_model("accounts", "User").objects.exclude(role="administrator"):
        memberships.create(study=study, person=person, role=person.role)


class Migration(migrations.Migration):
    dependencies = [
        ("studies", "0001_initial"),
        ("accounts", "0003_draws_since"),
        ("cases", "0004_ingest_label_values"),
        ("registry", "0002_extreme_points"),
        ("labeling", "0007_decodings"),
        ("learning", "0001_initial"),
        ("publishing", "0001_initial"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
