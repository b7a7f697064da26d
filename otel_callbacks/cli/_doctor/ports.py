"""Which process holds a port of this machine, if the operating system shows it (Linux)."""

from contextlib import suppress
from pathlib import Path

# TCP_LISTEN in the kernel's hexadecimal, and the columns of /proc/net/tcp.
_LISTENING = "0A"
_STATE, _ADDRESS, _INODE = 3, 1, 9


def holder(port: int, proc: Path = Path("/proc")) -> str | None:
    """Return the name and id of the process that listens on `port`; ``None`` if the system does not show it.

    Args:
        port: TCP port.
        proc: Where the kernel shows its processes.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return None
    for folder in proc.glob("[0-9]*"):
        # Other users' processes cannot be read, and one may end at any moment.
        with suppress(OSError):
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return None


def _inodes(port: int, proc: Path) -> set[str]:
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                parts = line.split()
                # Addresses are hexadecimal, such as 0100007F:10DE for 127.0.0.1:4318.
                if parts[_STATE] == _LISTENING and int(parts[_ADDRESS].rpartition(":")[2], 16) == port:
                    inodes.add(parts[_INODE])
    return inodes
