"""Slices with their neighbours."""

from datasets.study.triplets import triplet_indices


def test_neighbours_are_clamped_at_the_edges() -> None:
    """Not periodic, although the comment in MSTT-199's code says so."""
    assert triplet_indices([0, 1, 4], 5).tolist() == [[0, 0, 1], [0, 1, 2], [3, 4, 4]]
    assert triplet_indices([0], 1).tolist() == [[0, 0, 0]]
    assert triplet_indices([], 4).shape == (0, 3)
