"""A real mail server (aiosmtpd) as a process: prints its port, then each message it takes as a JSON line.

Arguments: the certificate and key (or "-" for none), the answer to DATA, and any of "login" (AUTH LOGIN is
all that is offered) and "tls" (from the first byte on, no STARTTLS).
"""

import asyncio
import json
import ssl
import sys
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Box:
    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        told = {
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "login": session.authenticated,
            "content": envelope.content.decode(),
        }
        print(json.dumps(told), flush=True)
        return sys.argv[2]


def authenticate(server: SMTP, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"robson", b"pa ss")
    return AuthResult(success=right, handled=False)


async def main() -> None:
    tls, options = None, sys.argv[3:]
    if sys.argv[1] != "-":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    loop = asyncio.get_running_loop()
    at_once = "tls" in options

    def session() -> SMTP:
        return SMTP(
            Box(),
            tls_context=None if at_once else tls,
            authenticator=authenticate,
            auth_require_tls=tls is not None and not at_once,
            auth_exclude_mechanism=["PLAIN"] if "login" in options else [],
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if at_once else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
