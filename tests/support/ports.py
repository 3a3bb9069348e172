"""Ports that stay what a test takes them for while other processes open sockets."""

from __future__ import annotations

import socket


def reserve_port() -> socket.socket:
    """Return a socket whose port of loopback nobody else is given, and on which nothing listens.

    As long as it is open, the system gives the port to no socket that asks for any. A server may still bind it by its
    number: on POSIX, two sockets that both set SO_REUSEADDR may, unless the other one listens.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation
