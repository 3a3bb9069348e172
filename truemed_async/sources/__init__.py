"""Sources for data platforms: see ``dlt`` and ``spark``."""
