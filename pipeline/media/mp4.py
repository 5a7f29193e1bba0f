"""The structure of an MP4 file: its boxes, its tracks, and where each of their samples lies (ISO/IEC 14496-12, -15).

A decoder opens a file that is cut in half and makes something of one with holes in it. Here every box and every sample
is followed to its end, which costs a hundredth of decoding and finds what transport does to files: ends that are
missing, pieces in the wrong place, holes. What is laid out in a way that isn't known here is left to the decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import BadMedia

__all__ = ["Index", "Track", "Unfamiliar", "follow_samples", "read_index", "walk_boxes", "walk_nal_units"]

MAX_INDEX_BYTES = 64 << 20
MAX_SAMPLES = 5_000_000
MAX_SAMPLE_BYTES = 64 << 20
"""More is no clip's: memory shall not follow what a file claims."""

_BEGINNINGS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"})
_NAL_CODECS = {b"avc1": b"avcC", b"avc3": b"avcC", b"hvc1": b"hvcC", b"hev1": b"hvcC"}
_NAL_LENGTH_AT = {b"avcC": 4, b"hvcC": 21}
_VISUAL_ENTRY_BYTES = 86
"""What stands in a visual sample entry before its own boxes."""


class Unfamiliar(Exception):
    """The file is laid out in a way that is not followed here: a decoder has to judge it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the file, from ``start`` to before ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Track:
    """A track: seconds, samples, and what the samples are.

    Attributes:
        kind: ``vide`` or ``soun``.
        width, height: pixels; 0 for sound.
        nal_length_bytes: of the length before each NAL unit; 0 where samples aren't made of those.
        chunks: where samples lie: an offset, and the sizes of the samples from there on.
    """

    kind: bytes
    width: int
    height: int
    nal_length_bytes: int
    samples: int
    seconds: float
    chunks: Sequence[tuple[int, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Index:
    """The first track of pictures and the first of sound, where there are such, and where media data may lie."""

    video: Track | None
    audio: Track | None
    data: Sequence[Span]


# --- boxes -------------------------------------------------------------------------------------------------------


def walk_boxes(file: BinaryIO, size_bytes: int) -> list[tuple[bytes, Span]]:
    """The boxes of the file's top level, each with the span of its content.

    Raises:
        BadMedia: it isn't a whole MP4.
    """
    position = 0
    boxes: list[tuple[bytes, Span]] = []
    while position < size_bytes:
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            raise BadMedia("is cut short: it ends inside a box header")
        length, kind = struct.unpack_from(">I4s", header)
        content = position + 8
        if position == 0 and kind not in _BEGINNINGS:
            raise BadMedia("isn't an MP4 file")
        if length == 1:
            if len(header) < 16:
                raise BadMedia("is cut short: it ends inside a box header")
            length = struct.unpack_from(">Q", header, 8)[0]
            content = position + 16
            if length < 16:
                raise BadMedia("is damaged: a box of impossible size")
        elif length == 0:
            if kind != b"mdat":
                raise BadMedia("is damaged: bytes that are no box stand at its end")
            length = size_bytes - position
        elif length < 8:
            raise BadMedia("is damaged: a box of impossible size")
        position += length
        boxes.append((kind, Span(content, position)))
    if position != size_bytes:
        raise BadMedia(f"is cut short: {position - size_bytes:,} bytes are missing")
    if not {b"moov", b"mdat"} <= {kind for kind, _ in boxes}:
        raise BadMedia("is not a whole MP4: its index or its data are missing")
    return boxes


def read_index(file: BinaryIO, boxes: Sequence[tuple[bytes, Span]]) -> Index:
    """What the file says of its tracks.

    Args:
        file: open for reading.
        boxes: of its top level.

    Raises:
        Unfamiliar: it can't be told here.
    """
    kinds = [kind for kind, _ in boxes]
    span = dict(boxes)[b"moov"]
    if kinds.count(b"moov") != 1 or b"moof" in kinds or span.end - span.start > MAX_INDEX_BYTES:
        raise Unfamiliar
    file.seek(span.start)
    index = file.read(span.end - span.start)
    try:
        tracks = [_track(index, trak) for kind, trak in _boxes_in(index, Span(0, len(index))) if kind == b"trak"]
    except (struct.error, IndexError, KeyError, ZeroDivisionError) as error:
        raise Unfamiliar from error
    by_kind = {track.kind: track for track in reversed(tracks)}
    data = [span for kind, span in boxes if kind == b"mdat"]
    return Index(by_kind.get(b"vide"), by_kind.get(b"soun"), data)


def _boxes_in(data: bytes, span: Span) -> Iterator[tuple[bytes, Span]]:
    position = span.start
    while position + 8 <= span.end:
        length, kind = struct.unpack_from(">I4s", data, position)
        if length < 8 or position + length > span.end:
            raise Unfamiliar
        yield kind, Span(position + 8, position + length)
        position += length


def _child(data: bytes, span: Span, *path: bytes) -> Span:
    for wanted in path:
        span = next((inner for kind, inner in _boxes_in(data, span) if kind == wanted), Span(0, 0))
        if not span.end:
            raise Unfamiliar
    return span


# --- tracks ------------------------------------------------------------------------------------------------------


def _track(data: bytes, trak: Span) -> Track:
    mdia = _child(data, trak, b"mdia")
    head = _child(data, mdia, b"mdhd").start
    (timescale,) = struct.unpack_from(">I", data, head + (20 if data[head] == 1 else 12))
    kind = data[(handler := _child(data, mdia, b"hdlr").start) + 8 : handler + 12]
    table = _child(data, mdia, b"minf", b"stbl")
    sizes = _sizes(data, _child(data, table, b"stsz"))
    samples, ticks = _durations(data, _child(data, table, b"stts"))
    if samples != len(sizes) or max(sizes, default=0) > MAX_SAMPLE_BYTES:
        raise Unfamiliar
    width = height = nal_length_bytes = 0
    if kind == b"vide":
        width, height, nal_length_bytes = _picture(data, _child(data, table, b"stsd"))
    chunks = list(_chunks(data, table, sizes))
    return Track(kind, width, height, nal_length_bytes, samples, ticks / timescale, chunks)


def _picture(data: bytes, stsd: Span) -> tuple[int, int, int]:
    entry = stsd.start + 8
    length, codec = struct.unpack_from(">I4s", data, entry)
    width, height = struct.unpack_from(">HH", data, entry + 32)
    if codec not in _NAL_CODECS:
        raise Unfamiliar
    record = _NAL_CODECS[codec]
    place = _child(data, Span(entry + _VISUAL_ENTRY_BYTES, entry + length), record).start
    return width, height, (data[place + _NAL_LENGTH_AT[record]] & 3) + 1


def _sizes(data: bytes, stsz: Span) -> Sequence[int]:
    each, count = struct.unpack_from(">II", data, stsz.start + 4)
    if each:
        if count > MAX_SAMPLES:
            raise Unfamiliar
        return [each] * count
    return struct.unpack_from(f">{count}I", data, stsz.start + 12)


def _durations(data: bytes, stts: Span) -> tuple[int, int]:
    (count,) = struct.unpack_from(">I", data, stts.start + 4)
    numbers = struct.unpack_from(f">{2 * count}I", data, stts.start + 8)
    runs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return sum(samples for samples, _ in runs), sum(samples * ticks for samples, ticks in runs)


def _chunks(data: bytes, table: Span, sizes: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    inner = dict(_boxes_in(data, table))
    large = b"co64" in inner
    place = inner[b"co64" if large else b"stco"].start
    (count,) = struct.unpack_from(">I", data, place + 4)
    offsets = struct.unpack_from(f">{count}{'Q' if large else 'I'}", data, place + 8)
    place = inner[b"stsc"].start
    (runs,) = struct.unpack_from(">I", data, place + 4)
    numbers = struct.unpack_from(f">{3 * runs}I", data, place + 8)
    firsts, per_chunk = numbers[::3], numbers[1::3]
    taken = 0
    for first, following, samples in zip(firsts, (*firsts[1:], count + 1), per_chunk, strict=True):
        if not 0 < first < following <= count + 1:
            raise Unfamiliar
        for offset in offsets[first - 1 : following - 1]:
            yield offset, sizes[taken : taken + samples]
            taken += samples
    if taken != len(sizes):
        raise Unfamiliar


# --- samples -----------------------------------------------------------------------------------------------------


def follow_samples(file: BinaryIO, track: Track, data: Sequence[Span]) -> None:
    """Read every sample of a track and look whether it can be one.

    Raises:
        BadMedia: one lies where no data are, or has a hole.
    """
    for offset, sizes in track.chunks:
        length = sum(sizes)
        if not any(span.start <= offset and offset + length <= span.end for span in data):
            raise BadMedia("is damaged: its index leads to where no data are")
        file.seek(offset)
        for size in sizes:
            sample = file.read(size)
            if track.nal_length_bytes:
                walk_nal_units(sample, track.nal_length_bytes)
            elif size > 16 and not any(sample):
                raise BadMedia("is damaged inside: zeros stand where its sound was")


def walk_nal_units(data: bytes | memoryview, length_bytes: int) -> None:
    """Follow the NAL units of a sample to its end.

    Raises:
        BadMedia: they don't add up, or a hole is in one.
    """
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + length_bytes], "big")
        position += length_bytes + length
        if not length or position > len(data):
            raise BadMedia("is damaged inside: a picture's data don't add up")
        # Inside a unit three zero bytes can't stand (H.264 7.4.1, H.265 7.4.2.1): where they do, a hole was filled.
        if b"\0\0\0" in bytes(data[position - length : position]).rstrip(b"\0"):
            raise BadMedia("is damaged inside: zeros stand where a picture's data were")
