"""The rows of the table, one file a method; a file beside these is found by itself.

Imports nothing else of `training.table` but its record.
"""
