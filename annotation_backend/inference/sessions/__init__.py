"""A person's prompts on one case, request by request, and the masks that answer them.

Imports `inference.serving`.
"""
