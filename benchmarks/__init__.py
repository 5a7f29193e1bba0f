"""Measurements: ``python -m benchmarks`` runs them side by side and writes docs/benchmarks.md."""
