"""Give a pack to others: folder, zip, checksums, and the description that the AI4OS catalogue reads."""
