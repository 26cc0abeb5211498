"""Work: what is next for a person and why, claims, bulk assignment and bulk verdicts, a person's own page, digests.

Imports `accounts`, `studies`, `cases`, `stages`, `inference`, `labeling` and `review`.
"""
