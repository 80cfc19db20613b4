"""Model packs: their format, their registry and the runtimes that execute them."""
