"""OpenCV, set up once for every module that uses it: `from models.runtime.vision import cv2`.

Its limits are read when it is loaded. One thread per call, because our own threads, one per image, keep the cores busy.
"""

from __future__ import annotations

import os

# The last line of defence: a header that lies to our own check must not fill the memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(400_000_000))

import cv2

cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

__all__ = ["cv2"]
