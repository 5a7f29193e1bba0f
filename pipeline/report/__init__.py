"""The pages that show a night: the report, and the same page live."""

from pipeline.report.write import write_report

__all__ = ["write_report"]
