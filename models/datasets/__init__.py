"""Labelled images on disk, read from the forms that people have: YOLO folders, COCO, CVAT exports."""
