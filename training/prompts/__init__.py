"""Prompts: what a person points at, in millimetres."""
