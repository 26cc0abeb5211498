"""Segmenters that understand boxes: LiteMedSAM and MedSAM.

Imports nothing else of `training.segmenters`.
"""
