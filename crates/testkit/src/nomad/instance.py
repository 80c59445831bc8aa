"""An instance of a service, for tests: says who it is, and is well unless a file named after its port is there."""

import os
import signal
import socket
import sys
import threading
import time

PORT = os.environ["NOMAD_PORT_http"]
NAME = "{} {}".format(os.environ["NOMAD_ALLOC_ID"], os.environ["VERSION"])
SICK = os.path.join(os.environ["SICK"], PORT)


def answer(connection):
    with connection:
        connection.settimeout(10)
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                buffer += chunk
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            is_check = b" /health " in head.split(b"\r\n", 1)[0]
            status = "503 Sick" if is_check and os.path.exists(SICK) else "200 OK"
            text = "HTTP/1.1 {}\r\ncontent-length: {}\r\n\r\n{}".format(status, len(NAME), NAME)
            connection.sendall(text.encode())


def quiet(connection):
    try:
        answer(connection)
    except OSError:
        pass


def main():
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN if os.environ["STUBBORN"] else lambda *_: os._exit(0))
    time.sleep(float(os.environ["SLOW_START"]))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(PORT)))
    listener.listen(128)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=quiet, args=(connection,), daemon=True).start()


sys.exit(main())
