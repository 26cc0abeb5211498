"""What goes into a release: which cases, what they are called, how they came about, its texts, and what came before it.

Imports `publishing.models`; below it learning, readers, review, stages and cases.
"""
