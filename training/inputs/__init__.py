"""What a network sees of a case: canvas, intensities, slices, augmentation.

Imports nothing else of `training`.
"""
