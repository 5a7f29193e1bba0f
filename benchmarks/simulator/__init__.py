"""A night in a second: the real pacing objects against a provider that is made of numbers, on a virtual clock."""

from benchmarks.simulator.laws import Law, bimodal, by_voice, drifting, least_product, log_normal, with_stuck
from benchmarks.simulator.night import Client, Report, adaptive, fixed, simulate
from benchmarks.simulator.provider import Limits, Provider

__all__ = [
    "Client",
    "Law",
    "Limits",
    "Provider",
    "Report",
    "adaptive",
    "bimodal",
    "by_voice",
    "drifting",
    "fixed",
    "least_product",
    "log_normal",
    "simulate",
    "with_stuck",
]
