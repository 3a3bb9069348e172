"""The command ``truemed``.

``app`` reads the command line and turns errors into exit codes; ``resources`` has the commands that every listing has.
Commands use the public names of ``truemed_async``, which are looked up when a command runs: ``--help`` must not wait for
the HTTP library.
"""
