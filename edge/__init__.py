"""iMagine Edge: images dropped in a watched folder become measured, reviewed, defensible results."""

__version__ = "0.1.0"
