"""The emulator's own paths, `/_emulator/…`: what a test does in its process, over HTTP, for one that runs on its own.

`site` finds who answers; `faults`, `webhooks` and `world` do, each for its paths; `asked` reads what is sent.
"""
