"""What models draw on tasks, before anybody asks and at every click.

Imports `labeling.versions`, `labeling.saves`, `labeling.interface` and what these import.
"""
