"""Audit: who saw, drew, changed and decided what, from events and from all other records; a case's story; times."""
