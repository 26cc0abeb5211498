"""Patients, cases, their series, registrations and slices: what curation brought in."""
