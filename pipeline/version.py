"""The program's version, known also where it is not installed. The build reads it from here."""

__all__ = ["__version__"]

__version__ = "0.1.0"
