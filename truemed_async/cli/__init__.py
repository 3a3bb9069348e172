"""The command ``truemed``.

``app`` reads the command line and turns errors into exit codes; ``sessions`` and ``serve`` hold the commands. What they
need of the API goes through the public names of ``truemed_async``, looked up when a command runs: ``--help`` must not
wait for the HTTP library.
"""
