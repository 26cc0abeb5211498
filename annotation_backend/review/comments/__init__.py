"""Comments pinned to voxels of a mask: said by who reviews, answered and closed by who draws."""
