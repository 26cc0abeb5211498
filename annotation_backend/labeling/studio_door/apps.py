# mypy: ignore-errors
"""An app of Label Studio's process: narrows its lists when all its own are loaded."""

from django.apps import AppConfig


class StudioDoor(AppConfig):
    """The door's part that is in Label Studio's lists."""

    name = "annotation_backend.labeling.studio_door"
    label = "studio_door"

    def ready(self):
        """Narrows the lists."""
        from annotation_backend.labeling.studio_door.lists import narrow_lists

        narrow_lists()
