"""Which attributes stay, which go and what replaces them: the standard's tables and our choices.

Imports nothing else of `curation.deidentification`.
"""
