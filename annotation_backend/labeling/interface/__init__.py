"""The labelling interface: its XML, its settings, and what people point at in it.

Imports `labeling.masks`, `labeling.models` and `labeling.studio`.
"""
