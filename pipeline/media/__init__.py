"""What a picture, a voice or a clip really is, read from its bytes and never from its name.

Pillow reads pictures. PyAV (FFmpeg's libraries in a wheel) reads voices and clips: a clip has to be decoded to be
believed, so the decoder is needed anyway, and unlike tag readers it also tells the length of raw AAC truthfully.
"""

from pipeline.media.facts import ClipFacts, Picture, Voice, check_clip, check_picture, check_voice

__all__ = ["ClipFacts", "Picture", "Voice", "check_clip", "check_picture", "check_voice"]
