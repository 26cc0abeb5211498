"""Random histories of an installation against a model of Label Studio: see `test_histories`."""
