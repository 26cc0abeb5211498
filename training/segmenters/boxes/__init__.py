"""Segmenters prompted by boxes: LiteMedSAM and MedSAM.

Imports nothing else of `training.segmenters`.
"""
