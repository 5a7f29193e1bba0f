"""Tests of the package, mirrored: a folder a package, a file a module."""
