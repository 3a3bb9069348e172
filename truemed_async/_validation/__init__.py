"""Checks of the arguments of Truemed's calls, before anything is sent.

A ``validate_*`` function returns its value unchanged, a ``parse_*`` function converts it, and a ``resolve_*`` function
combines several sources. All of them raise :class:`~truemed_async.errors.InvalidArgumentError` (or, for the client's
own settings, :class:`~truemed_async.errors.ConfigurationError`) with the name of the argument and what is allowed. The
message never contains the value, which may be personal.
"""
