"""Tracks in, "CVAT for video 1.1" out: one XML per clip, streamed.

    https://docs.cvat.ai/docs/manual/advanced/xml_format/

Each opening is a track. What was seen is a keyframe with the number of that very frame of the clip; CVAT draws lines between keyframes.
A track runs to the end of the task unless it is closed, so one is: by a box with outside="1" on the frame behind its last. CVAT takes
attribute values as texts, those of a track from its boxes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import XMLGenerator

from edge.export.footage import PieceTracks, Track, TrackBox

DECISIONS = ("none", "accepted", "rejected", "unsure")
# name, whether it changes along a track, kind of input, values that a select has
_ATTRIBUTES = (
    ("opening", False, "text", ()),
    ("opening_uuid", False, "text", ()),
    ("system", False, "text", ()),
    ("confidence", False, "text", ()),
    ("decision", False, "select", DECISIONS),
    ("decided_by", False, "text", ()),
    ("model", False, "text", ()),
    ("score", True, "text", ()),
)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_cvat_video(path: Path, found: PieceTracks, *, made_utc: str) -> None:
    """Write the tracks of one piece of footage.

    Args:
        path: the file.
        found: for a clip frame n is its frame n; for stills frame n is the n-th still of the tow, by time.
        made_utc: when the export was made.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        xml = _Xml(file)
        xml.generator.startDocument()
        with xml.element("annotations"):
            xml.text("version", "1.1")
            _write_meta(xml, found, made_utc)
            for number, track in enumerate(found.tracks):
                _write_track(xml, number, found, track)
        xml.generator.endDocument()


def attributes_of(found: PieceTracks, track: Track) -> dict[str, str]:
    """What is said of an opening besides its boxes, as texts; what is not known is empty, a decision that nobody took is "none"."""
    opening, tow = track.opening, found.piece.tow
    return {
        "opening": str(opening.ordinal),
        "opening_uuid": opening.uuid,
        "system": "" if opening.system is None else str(opening.system),
        "confidence": f"{opening.confidence:.4f}",
        "decision": opening.decision or "none",
        "decided_by": opening.decided_by or "",
        "model": f"{tow.model} {tow.model_version}",
    }


class _Xml:
    """A document that is being written, indented so that people can read it."""

    def __init__(self, file: object) -> None:
        self.generator = XMLGenerator(file, encoding="utf-8", short_empty_elements=True)  # type: ignore[arg-type]
        self._depth = 0

    def element(self, name: str, attributes: Mapping[str, str] | None = None) -> _Element:
        return _Element(self, name, {key: _clean(value) for key, value in (attributes or {}).items()})

    def text(self, name: str, content: str, attributes: Mapping[str, str] | None = None) -> None:
        """An element that holds a text."""
        self.line()
        self.generator.startElement(name, dict(attributes or {}))  # type: ignore[arg-type]
        self.generator.characters(_clean(content))
        self.generator.endElement(name)

    def line(self) -> None:
        self.generator.ignorableWhitespace("\n" + "  " * self._depth)

    def deeper(self, by: int) -> None:
        self._depth += by


class _Element:
    def __init__(self, xml: _Xml, name: str, attributes: Mapping[str, str]) -> None:
        self._xml, self._name, self._attributes = xml, name, dict(attributes)

    def __enter__(self) -> None:
        self._xml.line()
        self._xml.generator.startElement(self._name, self._attributes)  # type: ignore[arg-type]
        self._xml.deeper(1)

    def __exit__(self, *_: object) -> None:
        self._xml.deeper(-1)
        self._xml.line()
        self._xml.generator.endElement(self._name)


def _write_meta(xml: _Xml, found: PieceTracks, made_utc: str) -> None:
    piece = found.piece
    tow, frames = piece.tow, len(piece.times_s)
    with xml.element("meta"):
        with xml.element("task"):
            xml.text("name", f"{tow.survey or ''} {tow.station} tow {tow.ordinal}: {piece.first.name}".strip())
            xml.text("size", str(frames))
            xml.text("mode", "interpolation")
            xml.text("overlap", "0")
            xml.text("start_frame", "0")
            xml.text("stop_frame", str(frames - 1))
            xml.text("frame_filter", "")
            with xml.element("labels"):
                for label in found.labels:
                    _write_label(xml, label)
            with xml.element("original_size"):
                xml.text("width", str(piece.first.width_px))
                xml.text("height", str(piece.first.height_px))
            xml.text("source", piece.first.name)
        xml.text("dumped", made_utc)


def _write_label(xml: _Xml, label: str) -> None:
    with xml.element("label"):
        xml.text("name", label)
        xml.text("type", "rectangle")
        with xml.element("attributes"):
            for name, is_mutable, kind, values in _ATTRIBUTES:
                with xml.element("attribute"):
                    xml.text("name", name)
                    xml.text("mutable", str(is_mutable))
                    xml.text("input_type", kind)
                    xml.text("default_value", values[0] if values else "")
                    xml.text("values", "\n".join(values))


def _write_track(xml: _Xml, number: int, found: PieceTracks, track: Track) -> None:
    values = attributes_of(found, track)
    with xml.element("track", {"id": str(number), "label": track.label, "source": "auto"}):
        for box in track.boxes:
            _write_box(xml, box, values, frame=box.frame, is_outside=False)
        last = track.boxes[-1]
        if last.frame + 1 < len(found.piece.times_s):
            _write_box(xml, last, values, frame=last.frame + 1, is_outside=True)


def _write_box(xml: _Xml, box: TrackBox, values: Mapping[str, str], *, frame: int, is_outside: bool) -> None:
    place = {
        "frame": str(frame),
        "keyframe": "1",
        "outside": str(int(is_outside)),
        "occluded": "0",
        "xtl": f"{box.x_min_px:.2f}",
        "ytl": f"{box.y_min_px:.2f}",
        "xbr": f"{box.x_max_px:.2f}",
        "ybr": f"{box.y_max_px:.2f}",
        "z_order": "0",
    }
    with xml.element("box", place):
        for name, value in (*values.items(), ("score", f"{box.score:.4f}")):
            xml.text("attribute", value, {"name": name})


def _clean(text: str) -> str:
    """XML has no place for control characters, not even escaped; a file's name may hold them."""
    return _NOT_IN_XML.sub("\ufffd", text)
