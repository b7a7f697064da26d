"""Which process holds a port of this machine, if the operating system shows it (Linux)."""

from contextlib import suppress
from pathlib import Path

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
                if parts[_STATE] == _LISTENING and int(parts[_ADDRESS].rpartition(":")[2], 16) == port:
                    inodes.add(parts[_INODE])
    return inodes
