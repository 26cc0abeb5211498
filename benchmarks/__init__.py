"""Figures that are measured and not asserted: `python -m benchmarks.<name>` prints each as a table."""
