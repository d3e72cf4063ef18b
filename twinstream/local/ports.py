"""Ports of the loopback interface."""

import random
import socket

import psutil

from twinstream.errors import UserError

HOST = "127.0.0.1"

_BELOW_THE_EPHEMERAL_RANGE = range(20_000, 32_000)

_mine = _BELOW_THE_EPHEMERAL_RANGE
_handed_out: set[int] = set()


def is_open(port: int, host: str = HOST) -> bool:
    """Whether something answers at the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def can_listen(port: int, host: str = HOST) -> bool:
    """Whether a server could listen at the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def keep_to_part(number: int, parts: int) -> None:
    """Let this process pick its free ports from a part of the range, as others pick theirs from the other parts."""
    global _mine
    _mine = _BELOW_THE_EPHEMERAL_RANGE[number::parts]


def free_port() -> int:
    """A port that is free and has not been picked before, and that no outgoing connection will be given meanwhile."""
    picked = random.SystemRandom().sample(_mine, 200)
    port = next(port for port in picked if port not in _handed_out and can_listen(port))
    _handed_out.add(port)
    return port


def require_free(port: int, setting: str) -> None:
    """Refuse in one line if another program holds the port; `setting` is what chooses another one."""
    if not can_listen(port):
        raise UserError(f"Port {port} is in use by {_holder(port)}. End it, or choose another port: {setting}.")


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        """Other users' processes cannot be seen everywhere."""
    return "another program"
