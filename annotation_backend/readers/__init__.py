"""Readers of one case beside each other: how far they agree, who decides between them, and cases of known mask."""
