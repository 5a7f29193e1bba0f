"""Other ways to get the clips of a job, as people write them. Each is a process of its own: ``python -m benchmarks.clients.<name> TASK``."""
