"""People who act a protocol out in a browser."""
