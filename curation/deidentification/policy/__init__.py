"""Which attributes are kept, removed or replaced: the standard's tables and our choices.

Imports nothing else of `curation.deidentification`.
"""
