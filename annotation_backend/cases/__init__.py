"""Patients, cases, their series, registrations and slices, as curation brought them in."""
