"""The bench: each job beside PostgreSQL's own limit for the same rows, in one run on one server.

``harness`` measures and prints, ``server`` makes the databases and the tables to compare with, ``data`` makes the same
rows on every machine, ``jobs``, ``archive`` and ``textcode`` are what is measured. A new job is one function in
``jobs.JOBS``.
"""
