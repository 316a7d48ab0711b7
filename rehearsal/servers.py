"""Real PostgreSQL servers as child processes."""


class ServerError(Exception):
    """A server refused, in words fit for an event message."""


class Binaries:
    """The installed PostgreSQL versions."""
