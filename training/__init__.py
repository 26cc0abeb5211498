"""Segmenters: their networks, their weights, how they learn. Needs no database; torch and MONAI live here only."""
