"""Prompts: what a person points at, in millimetres.

Imports `training.networks`.
"""
