"""Tags of review, for the pages of apps below and above."""
