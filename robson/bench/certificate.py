"""A certificate for this machine, made for one measurement and trusted only as long as that takes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def trusted_certificate(place: Path) -> Iterator[Path]:
    """A key and a certificate in one file, which this process and those it starts trust meanwhile (SSL_CERT_FILE).

    Raises OSError where there is no openssl.
    """
    pem, trusted = place / "both.pem", place / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", pem, "-out", trusted], check=True, capture_output=True)
    with pem.open("ab") as file:
        file.write(trusted.read_bytes())
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(trusted)
    try:
        yield pem
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before
