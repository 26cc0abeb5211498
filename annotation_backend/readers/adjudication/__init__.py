"""One mask decided between readers': proposals, regions in which they differ, a person's choices, and the decision.

Imports `readers.agreement` and `readers.models`.
"""
