"""Tags of the history, for the pages of apps below."""
