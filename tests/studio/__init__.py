"""The studio, judged from outside: a real process on loopback, real media, real clips."""
