"""Where bundles have to arrive: a folder on a stick or a share, and, over a link, what institutes run."""
