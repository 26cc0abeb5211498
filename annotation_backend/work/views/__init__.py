"""Pages of work and their forms: a person's own, all of a study's, verdicts on several cases.

Imports `work.taking` and the files beside it.
"""
