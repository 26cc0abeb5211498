"""Tags of stages, for the pages of apps below and above. Imports `stages`."""
