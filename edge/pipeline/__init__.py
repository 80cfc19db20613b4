"""From a stored image to recorded objects."""
