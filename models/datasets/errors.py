"""What can be wrong with a data set; all of it is input that was given to us.

DatasetError                     exit code 4
├── DatasetUnknownError          dataset_unknown_form       nothing there, or in no form that is read
├── DatasetUnreadableError       dataset_unreadable         a label file that cannot be read or parsed
├── DatasetLineError             dataset_line_invalid       one label: not a number, not finite, of the wrong length
├── DatasetLabelsError           dataset_labels_disagree    labels that contradict the list of their names, or the model's
├── DatasetImagesMissingError    dataset_images_missing     labels of images that are not there
├── DatasetUnlabelledError       dataset_unlabelled         not one labelled image
├── DatasetDuplicateError        dataset_duplicate          one image or name twice, with different labels
├── DatasetSizeError             dataset_size_mismatch      labels drawn on an image of another size
├── DatasetBoxError              dataset_box_outside        a box that lies outside its image, or has no extent
└── DatasetImageError            dataset_image_broken       an image that cannot be decoded
"""

from __future__ import annotations

from edge.errors import EdgeError


class DatasetError(EdgeError):
    """A data set that cannot be used as it is. The message names the file, and the line where there is one."""

    code = "dataset_invalid"
    exit_code = 4
    default_advice = "Correct the named file; nothing was changed or written."


class DatasetUnknownError(DatasetError):
    """Nothing is there, or it has no form that is read."""

    code = "dataset_unknown_form"
    default_advice = (
        "Give a YOLO folder (images/ and labels/), a COCO file or folder, an export 'CVAT for images 1.1' or 'CVAT for video 1.1', "
        "a folder with one folder per class, or a zip of one of them."
    )


class DatasetUnreadableError(DatasetError):
    """A label file cannot be read or parsed."""

    code = "dataset_unreadable"
    default_advice = "Export the labels again, or correct the named file."


class DatasetLineError(DatasetError):
    """One label cannot be understood."""

    code = "dataset_line_invalid"
    default_advice = (
        "Correct the named line; a YOLO box is `class x_centre y_centre width height`, the last four as fractions of the image."
    )


class DatasetLabelsError(DatasetError):
    """Labels contradict the list of their names, or none of them is one of the model's."""

    code = "dataset_labels_disagree"
    default_advice = "Correct the names in data.yaml or the labels; `--labels-map THEIRS=OURS` says which name means which."


class DatasetImagesMissingError(DatasetError):
    """There are labels of images that are not there."""

    code = "dataset_images_missing"
    default_advice = "Copy the images beside their labels, or name their folder with --images."


class DatasetUnlabelledError(DatasetError):
    """There is not one labelled image."""

    code = "dataset_unlabelled"
    default_advice = "An image without anything in it needs an empty label file: a missing one says that nobody looked."


class DatasetDuplicateError(DatasetError):
    """One image, or one name, appears twice with different labels."""

    code = "dataset_duplicate"
    default_advice = "Keep the one whose labels are right."


class DatasetSizeError(DatasetError):
    """The labels were drawn on an image of another size."""

    code = "dataset_size_mismatch"
    default_advice = "Give the images on which the labels were drawn, at their size and turned as they were shown."


class DatasetBoxError(DatasetError):
    """A box lies outside its image, or has no extent."""

    code = "dataset_box_outside"
    default_advice = "Correct or remove the box; boxes that reach a little over the edge are cut by themselves."


class DatasetImageError(DatasetError):
    """An image of the data set cannot be decoded."""

    code = "dataset_image_broken"
    default_advice = "Copy the image again, or leave such images out, listed by name, with --skip-broken."
