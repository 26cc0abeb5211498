"""The methods that can be trained, and how each is trained, loaded and tried.

Imports `training.fitting`, `training.segmenters` and what these import.
"""
