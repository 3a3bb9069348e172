"""Sources for data platforms: see ``dlt``."""
