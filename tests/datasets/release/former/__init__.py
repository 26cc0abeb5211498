"""Releases of former schemas."""
