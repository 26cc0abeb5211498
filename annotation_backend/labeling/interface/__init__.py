"""The labelling interface: its XML, its settings, the prompts that annotators give in it, and the hint.

Imports `labeling.masks`, `labeling.models` and `labeling.studio`.
"""
