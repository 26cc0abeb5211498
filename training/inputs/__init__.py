"""Network inputs: canvas, intensities, slices, augmentation.

Imports nothing else of `training`.
"""
