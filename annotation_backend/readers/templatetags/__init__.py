"""Tags of agreement, adjudication and control cases."""
