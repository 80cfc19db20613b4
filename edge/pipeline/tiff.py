"""The structure of a TIFF or BigTIFF file (TIFF 6.0; Adobe's supplement for JPEG), read without decoding anything.

    image = read_tiff(data)           the one full image of the file, or why it is not read
    check_tiff(data, image)           its strips or tiles are there, whole, and as large as they must be
    bare_tiff(data, image)            the file with nothing in its directory but that image, for a decoder

A still is one image. Pages that the file itself marks as a reduced copy or a mask are passed over; a file with two full pages
is refused, because nobody would look for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from edge.errors import InputError, Reason
from edge.pipeline.directory import VALUE_BYTES, Directories, Directory, Field
from edge.pipeline.exif import Exif, exif_of

_KEPT_TAGS = frozenset(
    (256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347, 529, 530, 531, 532)
)
NO_COMPRESSION, JPEG, PACKBITS = 1, 7, 32773
DEFLATE = (8, 32946)
_COMPRESSIONS = {NO_COMPRESSION, 2, 3, 4, 5, JPEG, *DEFLATE, PACKBITS, 34925, 50000}
_COMPRESSION_NAMES = {6: "old-style JPEG", 34712: "JPEG 2000", 50001: "WebP", 50002: "JPEG XL"}
_WHITE_IS_ZERO, _GREY, RGB, _PALETTE, _MASK, CMYK, YCC = range(7)
_PHOTOMETRIC_NAMES = {8: "CIE L*a*b*", 32803: "raw sensor data", 34892: "raw sensor data"}
_SAMPLES = {_WHITE_IS_ZERO: (1,), _GREY: (1, 2), RGB: (3, 4), _PALETTE: (1,), CMYK: (4,), YCC: (3,)}
_BITS = {_WHITE_IS_ZERO: (1, 4, 8, 16), _GREY: (1, 2, 4, 8, 16), RGB: (8, 16), _PALETTE: (1, 2, 4, 8), CMYK: (8,), YCC: (8,)}
_REDUCED_OR_MASK, _OLD_REDUCED = 0b101, 2  # NewSubfileType bits 0 and 2; SubfileType
_SAMPLE_KINDS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_KNOWN_VALUES = {266: (1, 2), 284: (1, 2), 317: (1, 2, 3)}  # FillOrder, PlanarConfiguration, Predictor
_MAX_PAGES = 1000
_MAX_TILE_PIXELS = 1 << 24
_LONG, _LONG8 = 4, 16
_MAX_CLASSIC_BYTES = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffImage:
    """The full image of a file.

    Attributes:
        samples: channels, alpha included. `bits` each.
        is_planar: each channel has strips or tiles of its own.
        piece_px: width and height of a tile, or of a strip but perhaps the last.
        offsets, counts: where the strips or tiles lie, in bytes.
        jpeg_tables: what the strips or tiles of a JPEG have in common, or b"".
    """

    directory: Directory
    width_px: int
    height_px: int
    bits: int
    samples: int
    photometric: int
    compression: int
    is_planar: bool
    is_tiled: bool
    piece_px: tuple[int, int]
    offsets: list[int]
    counts: list[int]
    jpeg_tables: bytes
    exif: Exif


def read_tiff(data: bytes) -> TiffImage:
    """The full image of a file.

    Raises:
        InputError: TRUNCATED, CORRUPT, SEVERAL_IMAGES or UNSUPPORTED_PIXELS.
    """
    directories = Directories(data)
    directory = _only_full_page(directories)
    fields = directory.fields

    def number(tag: int, default: int) -> int:
        return directories.number(fields.get(tag), default)

    _check_tags(directory, number)
    width_px, height_px = number(256, 0), number(257, 0)
    is_tiled = 324 in fields
    piece_px = (number(322, 0), number(323, 0)) if is_tiled else (width_px, min(number(278, height_px), height_px))
    bits = directories.numbers(fields.get(258)) or [1]
    image = TiffImage(
        directory=directory,
        width_px=width_px,
        height_px=height_px,
        bits=bits[0],
        samples=number(277, 1),
        photometric=number(262, -1),
        compression=number(259, NO_COMPRESSION),
        is_planar=number(284, 1) == 2 and number(277, 1) > 1,
        is_tiled=is_tiled,
        piece_px=piece_px,
        offsets=directories.numbers(fields.get(324 if is_tiled else 273)),
        counts=directories.numbers(fields.get(325 if is_tiled else 279)),
        jpeg_tables=directories.raw(fields[347]) if 347 in fields else b"",
        exif=exif_of(directories, directory),
    )
    if image.photometric == _PALETTE and not any(directories.numbers(fields.get(320))):
        raise InputError(Reason.CORRUPT, "the TIFF's palette is missing or all black")
    sample_kinds = directories.numbers(fields.get(339))
    if 0 in bits or 0 in sample_kinds:
        raise InputError(Reason.CORRUPT, "the TIFF says that a channel has 0 bits or holds nothing")
    if image.jpeg_tables and not (image.jpeg_tables.startswith(b"\xff\xd8") and image.jpeg_tables.endswith(b"\xff\xd9")):
        raise InputError(Reason.CORRUPT, "the tables that the TIFF's JPEG parts have in common are damaged")
    if len(set(bits)) > 1:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the TIFF's channels have different depths, {bits[:8]} bits")
    _check_kind(image, sample_kinds)
    return image


def _only_full_page(directories: Directories) -> Directory:
    """The first directory of the chain, if it is the only one of a full image."""
    offset, seen = directories.first_offset, set[int]()
    full: list[int] = []
    while offset and len(seen) < _MAX_PAGES:
        if offset in seen:
            raise InputError(Reason.CORRUPT, "the TIFF's directories run in a circle")
        seen.add(offset)
        page = directories.read(offset)
        kind, old_kind = directories.number(page.fields.get(254), 0), directories.number(page.fields.get(255), 1)
        if not kind & _REDUCED_OR_MASK and old_kind != _OLD_REDUCED:
            full.append(offset)
        offset = page.next_offset
    if not seen:
        raise InputError(Reason.CORRUPT, "the TIFF holds no image")
    if len(full) > 1:
        more = "at least " if offset else ""
        raise InputError(Reason.SEVERAL_IMAGES, f"the TIFF holds {more}{len(full)} images")
    if full != [directories.first_offset]:
        raise InputError(Reason.SEVERAL_IMAGES, "the TIFF begins with a preview, not with its image (a raw or a layered file?)")
    return directories.read(full[0])


def _check_tags(directory: Directory, number: Callable[[int, int], int]) -> None:
    """Refuse what a tail of zeros leaves of a directory: without the predictor, say, the pixels would be decoded to something else."""
    if any(field.kind == 0 for field in directory.fields.values()):
        raise InputError(Reason.TRUNCATED, "the TIFF's directory ends in zeros")
    for tag in _KEPT_TAGS & directory.fields.keys():
        if directory.fields[tag].is_void:
            raise InputError(Reason.CORRUPT, f"the TIFF's tag {tag} has no value")
    for tag, known in _KNOWN_VALUES.items():
        if (value := number(tag, known[0])) not in known:
            raise InputError(Reason.CORRUPT, f"the TIFF's tag {tag} says {value}, which means nothing")


def _check_kind(image: TiffImage, sample_kinds: list[int]) -> None:
    """Refuse pixels that are not grey or colour of 1 to 16 bits, with what they are."""
    fault = None
    if min(image.width_px, image.height_px, *image.piece_px) < 1:
        raise InputError(Reason.CORRUPT, f"the TIFF says {image.width_px} x {image.height_px} pixels in pieces of {image.piece_px}")
    if strange := [_SAMPLE_KINDS[kind] for kind in sample_kinds if kind in _SAMPLE_KINDS]:
        fault = f"holds {image.bits}-bit {strange[0]} values, for which no black and white are defined"
    elif image.photometric not in _SAMPLES:
        fault = f"holds {_PHOTOMETRIC_NAMES.get(image.photometric, f'pixels of photometric kind {image.photometric}')}"
    elif image.bits not in _BITS[image.photometric]:
        fault = f"has {image.bits} bits per channel"
    elif image.samples not in _SAMPLES[image.photometric] or (image.samples == 2 and image.bits != 8):
        fault = f"has {image.samples} channels of {image.bits} bits"
    elif image.compression not in _COMPRESSIONS:
        fault = f"is compressed by {_COMPRESSION_NAMES.get(image.compression, f'method {image.compression}')}"
    elif image.photometric == YCC and image.compression != JPEG:
        fault = "holds luminance and colour differences that are not JPEG"
    elif image.is_planar and image.bits == 16:
        fault = "has 16-bit channels stored one behind the other"
    if fault:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the TIFF {fault}")


def check_tiff(data: bytes, image: TiffImage) -> None:
    """Every strip or tile lies in the file, apart from the others, and there are enough of them (TIFF 6.0, sections 3 and 15).

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    places = pieces(image)
    if any(count == 0 or offset == 0 for offset, count in places):
        raise InputError(Reason.CORRUPT, "a part of the TIFF's pixels was never written")
    if any(offset + count > len(data) for offset, count in places):
        raise InputError(Reason.TRUNCATED, "the TIFF's pixels end beyond the file")
    in_order = sorted(places)
    if any(offset + count > after for (offset, count), (after, _) in pairwise(in_order)):
        raise InputError(Reason.CORRUPT, "parts of the TIFF's pixels lie in the same place")
    if image.is_tiled and image.piece_px[0] * image.piece_px[1] > max(_MAX_TILE_PIXELS, 4 * image.width_px * image.height_px):
        raise InputError(Reason.CORRUPT, f"the TIFF's tiles of {image.piece_px} pixels are much larger than the image")
    is_short = [count < piece_bytes(image, index) for index, (_, count) in enumerate(places)]
    if image.compression == NO_COMPRESSION and any(is_short):
        raise InputError(Reason.TRUNCATED, "the TIFF holds fewer pixels than its header says")


def piece_bytes(image: TiffImage, index: int) -> int:
    """How many bytes the pixels of a strip or tile take when they are not compressed; the last strip may be lower."""
    width_px, height_px = image.piece_px
    if not image.is_tiled:
        per_plane = -(-image.height_px // height_px)
        height_px = min(height_px, image.height_px - index % per_plane * height_px)
    row_bits = width_px * image.bits * (1 if image.is_planar else image.samples)
    return (row_bits + 7) // 8 * height_px


def pieces(image: TiffImage) -> list[tuple[int, int]]:
    """Offset and size in bytes of every strip or tile that the image needs.

    Raises:
        InputError: CORRUPT, there are too few.
    """
    width_px, height_px = image.piece_px
    per_plane = -(-image.width_px // width_px) * -(-image.height_px // height_px)
    wanted = per_plane * (image.samples if image.is_planar else 1)
    found = min(len(image.offsets), len(image.counts))
    if found < wanted:
        raise InputError(Reason.CORRUPT, f"the TIFF says where {found} of the {wanted} parts of its pixels are")
    return list(zip(image.offsets[:wanted], image.counts[:wanted], strict=True))


def bare_tiff(data: bytes, image: TiffImage) -> bytes:
    """The file as a classic TIFF with one directory of the tags that pixels need: no further page, no EXIF data, no orientation.

    What a decoder is not shown it cannot trip over. Pillow, besides, reads no BigTIFF of big-endian byte order.

    Raises:
        InputError: TOO_MANY_BYTES, the offsets do not fit.
    """
    directories = Directories(data)
    values = {tag: directories.numbers(field) for tag, field in image.directory.fields.items() if tag in _KEPT_TAGS}
    offsets, counts = zip(*pieces(image), strict=True)
    values[324 if image.is_tiled else 273], values[325 if image.is_tiled else 279] = list(offsets), list(counts)
    order = directories.order
    end = [b"\0" * (-len(data) % 4)]
    position = len(data) + len(end[0])
    entries = []
    for tag in sorted(values):
        kind, raw = _classic(image.directory.fields[tag], values[tag], directories)
        count = len(raw) // VALUE_BYTES[kind]
        if len(raw) > 4:
            end.append(raw + b"\0" * (-len(raw) % 4))
            raw, position = position.to_bytes(4, order), position + len(end[-1])
        entries.append(tag.to_bytes(2, order) + kind.to_bytes(2, order) + count.to_bytes(4, order) + raw.ljust(4, b"\0"))
    if position > _MAX_CLASSIC_BYTES:
        raise InputError(Reason.TOO_MANY_BYTES, "a TIFF of more than 4 GiB is not read")
    head = data[:2] + (42).to_bytes(2, order) + position.to_bytes(4, order)
    return b"".join((head, memoryview(data)[8:], *end, len(entries).to_bytes(2, order), *entries, bytes(4)))


def _classic(field: Field, numbers: list[int], directories: Directories) -> tuple[int, bytes]:
    """Kind and bytes of a field's values as a classic TIFF has them."""
    if not numbers:
        return field.kind, directories.raw(field)
    kind = _LONG if field.kind == _LONG8 else field.kind
    if max(numbers) > _MAX_CLASSIC_BYTES:
        raise InputError(Reason.TOO_MANY_BYTES, "a TIFF of more than 4 GiB is not read")
    return kind, b"".join(number.to_bytes(VALUE_BYTES[kind], directories.order) for number in numbers)
