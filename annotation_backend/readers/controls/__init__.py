"""Control cases: cases of known mask among other work, with drafts that hold a planted fault, and what came of them.

Imports `readers.models`.
"""
