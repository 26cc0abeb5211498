"""A simulated annotator who works cases through by strokes and prompts, and the study made of it.

Imports every other room of training.
"""
