"""What the state directory and its disk are good for."""

from collections.abc import Sequence
from statistics import median

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value

# A journal of a busy year is smaller; below the lower one the log beside the journal may not fit.
ROOM_MEGABYTES = 1_000
ROOM_LEAST_MEGABYTES = 50
# A solid-state disk writes durably in less; beyond the last an exit waits noticeably for its intent.
QUICK_MS, SLOW_MS, TOO_SLOW_MS = 10.0, 50.0, 1_000.0
# SQLite's log needs memory that its users share, and locks that are kept: neither is sure over a network.
NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs"),
        *("fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "virtiofs"),
    }
)
MEMORY = frozenset({"tmpfs", "ramfs"})
_OTHERS, _OTHERS_WRITE = 0o077, 0o022


class Place(Value):
    """A state directory; `mode` is its permission bits, `writable_parent` the nearest place that is there."""

    path: str
    is_there: bool
    is_directory: bool
    is_writable: bool
    mode: int = 0o700
    is_ours: bool = True


def judge_place(place: Place) -> Check:
    """Whether the journal can live there, and nobody else reads it."""
    name, path = "state", place.path
    if not place.is_there:
        if place.is_writable:
            return fine(name, f"{path} is not there yet; it is made at the first start (mode 0700)")
        return wrong(name, f"{path} was not there and cannot be made", "make it, or name another with --state-dir")
    if not place.is_directory:
        return wrong(name, f"{path} was no directory", "move what lies there, or name another with --state-dir")
    if not place.is_writable:
        return wrong(
            name, f"{path} could not be written (mode {place.mode:04o})", "its owner, its mode, a read-only disk"
        )
    if place.mode & _OTHERS_WRITE:
        return wrong(name, f"{path} could be written by others (mode {place.mode:04o})", f"chmod 0700 {path}")
    if place.mode & _OTHERS:
        return doubtful(name, f"{path} could be read by others (mode {place.mode:04o})", f"chmod 0700 {path}")
    if not place.is_ours:
        return doubtful(name, f"{path} belonged to another user", "the daemon should run as the owner")
    return fine(name, f"{path}, mode {place.mode:04o}")


def judge_room(free_bytes: int) -> Check:
    """Whether the journal has room to grow."""
    megabytes = free_bytes // 1_000_000
    detail = f"{megabytes} MB free"
    if megabytes < ROOM_LEAST_MEGABYTES:
        return wrong("room", f"{detail}, at least {ROOM_LEAST_MEGABYTES} MB are needed", "make room on that disk")
    if megabytes < ROOM_MEGABYTES:
        return doubtful("room", f"{detail}, less than {ROOM_MEGABYTES} MB", "make room, or set [journal] keep_events")
    return fine("room", detail)


def judge_filesystem(kind: str | None) -> Check:
    """Whether what is written there is still there after a power cut."""
    if kind is None:
        return doubtful("filesystem", "its kind could not be read", "it should be a local disk")
    if kind in NETWORK:
        return doubtful("filesystem", f"{kind}, over a network", "SQLite's log and locks want a local disk")
    if kind in MEMORY:
        return doubtful("filesystem", f"{kind}, in memory", "a restart of the machine forgets every position")
    return fine("filesystem", kind)


def judge_fsync(seconds: Sequence[float]) -> Check:
    """How long a durable write takes; each decision waits for one."""
    if not seconds:
        return doubtful("fsync", "was not measured", "it needs a state directory that can be written")
    typical, longest = median(seconds) * 1000, max(seconds) * 1000
    detail = f"{typical:.1f} ms (median of {len(seconds)}, longest {longest:.1f} ms)"
    if typical > TOO_SLOW_MS:
        return wrong("fsync", detail, "each exit waits so long before it is sent: use another disk")
    if typical > SLOW_MS:
        return doubtful(
            "fsync", f"{detail}, slow", "each exit waits so long before it is sent: a solid-state disk is better"
        )
    return fine("fsync", f"{detail}, {'as of a solid-state disk' if typical <= QUICK_MS else 'as of a turning disk'}")
