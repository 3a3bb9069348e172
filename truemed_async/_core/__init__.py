"""How a call works. ``endpoint`` to ``redact`` are pure; ``pipeline`` and ``transport`` do the I/O."""
