"""Tests of models that are tried and reported."""
