"""From a folder of scanner files to registered cases and their slices. Needs no database and knows no network."""
