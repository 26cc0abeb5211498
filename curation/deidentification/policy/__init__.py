"""The policy: which attributes are kept, removed or replaced, by the standard's tables and our choices.

Imports nothing else of `curation.deidentification`.
"""
