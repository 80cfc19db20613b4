"""Tasks go out to a CVAT server, annotations come back. Loads neither OpenCV nor a runtime: pages call it."""
