"""``python -m truemed_async._codegen``."""

from __future__ import annotations

import sys

from truemed_async._codegen import main

sys.exit(main(sys.argv[1:]))
