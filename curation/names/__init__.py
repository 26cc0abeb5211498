"""What the names of files, folders and descriptions say, and what they do not.

Imports nothing else of `curation`.
"""
