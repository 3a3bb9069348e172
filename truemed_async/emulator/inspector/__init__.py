"""The emulator's own pages, for whoever builds an integration: what was sent, what came back, and what to do next.

`site` takes requests, `panels` say what is shown, `actions` do what is asked for by a button.
"""
