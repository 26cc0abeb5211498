"""Segmenters of networks that learned elsewhere: bundles of MONAI, and nnU-Net.

Imports nothing else of `training.segmenters`.
"""
