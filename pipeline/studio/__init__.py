"""The studio: the generation API on this machine, rendering clips for real.

``python -m pipeline.studio`` or :func:`pipeline.studio.server.serve` starts it; clients talk HTTP to it and import
nothing of it. The way of a generation through its rooms::

    api ──► intake ──► queue ──► fetching ──► farm ──► render ──► clips on disk ──► cdn
             (validate, decode)   (only links)  (one process a core)

The queue is one SQLite file, so a kill at any moment leaves a studio that simply goes on when it is started again.
"""
