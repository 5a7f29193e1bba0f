"""Looking at finished clips: is it the row's own voice, does the picture move, does the mouth move with the voice.

What the core verifies decides whether a file is the clip at all. What is seen here only marks a clip: it is kept, and
rendered again only on request.
"""

from pipeline.inspection.facts import Facts, Inspection, Mark
from pipeline.inspection.judge import judge

__all__ = ["Facts", "Inspection", "Mark", "judge"]
