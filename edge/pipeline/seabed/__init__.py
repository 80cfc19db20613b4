"""What the pictures of a tow tell of the seabed under the camera: how it moved, how wide the view is, how well it can be seen."""
