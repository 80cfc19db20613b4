"""Health checks, one file each."""
