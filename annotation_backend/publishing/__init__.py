"""Releases: frozen datasets of approved cases."""
