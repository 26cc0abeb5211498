"""Radiologists' verdicts on a case's mask."""
