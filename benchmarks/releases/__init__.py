"""Speed of releases: each file measures one part, and is started with ``python -m benchmarks.releases.<file>``."""
