"""Who reads the pages of reviews: those who give verdicts, and those who settle what holds them up."""

from annotation_backend.accounts.models import Role

READERS = (Role.RADIOLOGIST, Role.DATA_MANAGER)
