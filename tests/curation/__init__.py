"""Tests of `curation`."""
