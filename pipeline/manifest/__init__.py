"""From a manifest file to validated rows: read (YAML, CSV), fill in, check, with every problem and its line."""

from pipeline.manifest.looks import Looks
from pipeline.manifest.problems import Problems
from pipeline.manifest.rows import RowReader

__all__ = ["Looks", "Problems", "RowReader"]
