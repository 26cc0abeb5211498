"""What the viewer of a review page shows: the case's images and masks on one grid, and numbers of a mask."""
