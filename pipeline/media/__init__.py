"""What a picture, a voice or a clip really is, read from its bytes and never from its name.

Pillow reads pictures. PyAV (FFmpeg's libraries in a wheel) reads voices, since it tells the length of raw AAC
truthfully, which tag readers don't, and decodes clips. What of a clip can be told without a decoder is told by ``mp4``.
"""

from pipeline.media.facts import ClipFacts, Picture, Voice, check_clip, check_picture, check_voice

__all__ = ["ClipFacts", "Picture", "Voice", "check_clip", "check_picture", "check_voice"]
