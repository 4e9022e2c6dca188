"""A server that answers whatever it is asked."""

import ssl

from support.listener import Listener

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def answering(
    context: ssl.SSLContext | None = None,
    answer: bytes = ANSWER,
    resumed: list[bool | None] | None = None,
) -> Listener:
    """Serve requests, one after the other, on each connection."""

    def serve(sock):
        secured = sock
        if context is not None:
            secured = context.wrap_socket(sock, server_side=True)
            listener.replace(sock, secured)
            if resumed is not None:
                resumed.append(secured.session_reused)
        try:
            while True:
                got = b""
                while not got.endswith(b"{}"):
                    if not (data := secured.recv(65536)):
                        return
                    got += data
                secured.sendall(answer)
        finally:
            if secured is not sock:
                listener.forget(secured)

    listener = Listener(serve)
    return listener
