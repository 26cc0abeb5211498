"""What comes after a release is out: errata that readers report, patients who are withdrawn, and what lies beside it.

Imports `publishing.models`, `publishing.contents` and `publishing.stored_release`; below it review and cases.
"""
