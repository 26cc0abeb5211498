"""What trainings read: snapshots of approved masks, and the examples of a snapshot or of a folder."""
