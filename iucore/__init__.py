"""Governed text pieces in PostgreSQL."""

__version__ = "0.1.0"
