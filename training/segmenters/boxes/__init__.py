"""Segmenters that understand boxes: LiteMedSAM and MedSAM.

Imports `training.networks` and `training.prompts`.
"""
