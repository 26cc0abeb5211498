"""Taking work: what is next and why, which slices of it are free, and how far masks agree.

Imports `work.models`; below it stages, labelling, review.
"""
