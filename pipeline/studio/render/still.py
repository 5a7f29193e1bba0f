"""The still renderer: the picture as it is, the voice under it."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from typing import cast

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.studio.render.composing import compose, open_picture, to_video_frame
from pipeline.studio.render.encoding import new_clip
from pipeline.studio.render.sound import Sound
from pipeline.studio.render.task import RenderError, RenderReport, RenderTask

__all__ = ["render"]

GROUP_S = 2
"""Seconds between two key frames: how far a player goes back to seek."""

_QUANTIZER = {"preview": 22, "draft": 30}


def render(task: RenderTask) -> RenderReport:
    """Render a clip whose picture stands still.

    Raises:
        RenderError: the picture or the voice can't be used.
    """
    fine = task.quality != "draft"
    picture = open_picture(task.picture, task.width, task.height)
    frame = to_video_frame(compose(picture, task.width, task.height, fine=fine))
    del picture
    try:
        with closing(Sound(task.voice)) as sound:
            with new_clip(task, sound.layout, _x264(task)) as clip:
                still = _StillPicture(clip.video, frame, task.fps)
                shown = 0
                for piece in sound.frames():
                    clip.add_sound(piece)
                    while Fraction(shown, task.fps) < sound.seconds:
                        clip.add_picture(still.packet(shown))
                        shown += 1
                clip.end_sound()
            notes = (f"{sound.damaged} damaged packets of the voice were left out",) if sound.damaged else ()
            return RenderReport(shown, float(sound.seconds), notes)
    except (av.error.FFmpegError, OSError) as error:
        raise RenderError(f"the clip can't be written: {error.strerror or error}") from None


def _x264(task: RenderTask) -> dict[str, str]:
    """A constant quantizer and no look at other frames: so all groups of a still picture come out the same."""
    group = GROUP_S * task.fps
    params = {
        "qp": _QUANTIZER.get(task.quality, _QUANTIZER["preview"]),
        "keyint": group,
        "min-keyint": group,
        "scenecut": 0,
        "bframes": 0,
        "ref": 1,
        "weightp": 0,
        "mbtree": 0,
        "aq-mode": 0,
        "rc-lookahead": 0,
        "sync-lookahead": 0,
        "threads": 1,
        # Nothing moves, so there is nothing to search for.
        "me": "dia",
        "subme": 0,
    }
    return {
        "preset": "veryfast",
        "tune": "stillimage,zerolatency",
        "x264-params": ":".join(f"{name}={value}" for name, value in params.items()),
    }


class _StillPicture:
    """A picture that stands still, as packets without end.

    Only the first group of frames and the key frame after it are encoded; then their packets come again. Two key
    frames take turns because H.264 wants neighbouring ones to differ in ``idr_pic_id``; with a constant quantizer
    they decode to the same pixels, so the frames that follow one follow the other as well.
    """

    def __init__(self, stream: VideoStream, frame: VideoFrame, fps: int) -> None:
        self._stream = stream
        self._frame = frame
        self._time_base = Fraction(1, fps)
        self._group = GROUP_S * fps
        self._encoded: list[bytes] = []

    def packet(self, number: int) -> Packet[VideoStream]:
        """The packet of frame ``number``; to be asked for in order."""
        turn, place = divmod(number, self._group)
        data = self._data(self._group if turn % 2 and not place else place)
        packet = cast("Packet[VideoStream]", Packet(data))
        packet.stream = self._stream
        packet.time_base = self._time_base
        packet.pts = packet.dts = number
        packet.duration = 1
        packet.is_keyframe = not place
        return packet

    def _data(self, place: int) -> bytes:
        if place == len(self._encoded):
            self._frame.pts, self._frame.time_base = place, self._time_base
            packets = self._stream.encode(self._frame)
            if len(packets) != 1:
                raise RenderError(f"the encoder gave {len(packets)} packets for one frame")
            self._encoded.append(bytes(packets[0]))
        return self._encoded[place]
