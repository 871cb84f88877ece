"""The journal's own protocol: fields in a datagram, or in sealed memory where they are many; never waited for."""

import errno
import fcntl
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOCKET = Path("/run/systemd/journal/socket")
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# What can be asked for by name; every other key gets a prefix, so that it cannot be taken for one of the journal's.
NAMED = {
    "position_id": "POSITION_ID",
    "symbol": "SYMBOL",
    "client_order_id": "INTENT_ID",
    "intent_id": "INTENT_ID",
    "signal_id": "SIGNAL_ID",
    "uid": "PEER_UID",
    "peer_uid": "PEER_UID",
    "cmd": "COMMAND",
}
PREFIX = "ROBSON_"
# Where nothing carries a whole record, so much of each value is kept.
CUT_BYTES = 4096
_NAME_MOST = 64
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def is_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether a descriptor is connected to the journal, by $JOURNAL_STREAM; a redirected one is not."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def fields_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The journal's fields of one log record, with a message that reads alone."""
    apart = {"event", "level", "exception"}
    rest = {key: value for key, value in record.items() if key not in apart and value is not None}
    event = str(record.get("event", ""))
    words = [event, *(f"{key}={value}" for key, value in rest.items())]
    fields = {
        "MESSAGE": "\n".join([" ".join(words), *([str(record["exception"])] if record.get("exception") else [])]),
        "PRIORITY": str(PRIORITIES.get(str(record.get("level")), PRIORITIES["info"])),
        "SYSLOG_IDENTIFIER": "robson",
        "EVENT": event,
    }
    for key, value in rest.items():
        fields[NAMED.get(key) or _name(key)] = str(value)
    return fields


def encode(fields: Mapping[str, str]) -> bytes:
    """Fields as they go over the wire: a value of several lines is given with its length."""
    return b"".join(_encode_one(name, value.encode(errors="backslashreplace")) for name, value in fields.items())


class JournalSocket:
    """Sends records; what cannot be taken at once is dropped, counted, and told of with the next one."""

    def __init__(self, place: Path = SOCKET) -> None:
        self._place = os.fspath(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.dropped = 0
        self._untold = 0

    def send(self, record: Mapping[str, Any]) -> None:
        """Send one record."""
        fields = fields_of(record)
        if self._untold:
            fields[f"{PREFIX}RECORDS_DROPPED"] = str(self._untold)
        try:
            self._send(fields)
        except OSError:
            self.dropped += 1
            self._untold += 1
        else:
            self._untold = 0

    def close(self) -> None:
        """Send nothing any more."""
        self._socket.close()

    def _send(self, fields: Mapping[str, str]) -> None:
        payload = encode(fields)
        try:
            self._socket.sendto(payload, self._place)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            self._send_large(payload, fields)

    def _send_large(self, payload: bytes, fields: Mapping[str, str]) -> None:
        try:
            memory = os.memfd_create("robson-record", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except (OSError, AttributeError):
            self._socket.sendto(encode(_cut(fields)), self._place)
            return
        try:
            with os.fdopen(os.dup(memory), "wb") as file:
                file.write(payload)
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, memory.to_bytes(4, "little"))]
            self._socket.sendmsg([b""], rights, 0, self._place)
        finally:
            os.close(memory)


def _cut(fields: Mapping[str, str]) -> dict[str, str]:
    long = [name for name, value in fields.items() if len(value) > CUT_BYTES]
    return {**{name: value[:CUT_BYTES] for name, value in fields.items()}, f"{PREFIX}CUT": " ".join(long)}


def _name(key: str) -> str:
    return (PREFIX + re.sub(r"[^A-Z0-9_]", "_", key.upper()))[:_NAME_MOST]


def _encode_one(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
    return b"%s=%s\n" % (name.encode(), value)
