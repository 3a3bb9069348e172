"""What ``manage.py`` can do with the webhooks of a project."""
