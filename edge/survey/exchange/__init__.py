"""The survey's own tables and maps, out: what is revealed, whole or not at all, with the reason for what is left out."""
