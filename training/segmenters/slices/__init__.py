"""Automatic networks on slices: whatever the network, one plan, one way from volumes to a mask.

Imports nothing else of `training.segmenters`.
"""
