"""The renderer of talking heads: one picture and one voice become a face that speaks.

How a frame is made::

    picture ──► scene: the frame at rest, face, landmarks          voice ──► articulation ──► score
                  │                                                                              │
                  └──► actor: mouth and eyes on a copy of the picture, then the head's move ◄────┘  ──► encoder

A picture without a face gets a gentle move and a display of the voice's level instead.
"""

from pipeline.studio.render.head.renderer import render

__all__ = ["render"]
