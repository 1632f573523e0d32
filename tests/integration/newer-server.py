#!/usr/bin/env python3
# tests/integration/newer-server.py LISTEN UPSTREAM OLD NEW: a relay between Unix sockets that makes a server speak of a
# field that clients do not know: OLD becomes NEW, of the same length, in what the server says.
import os, socket, sys, threading

listen, upstream, old, new = sys.argv[1:5]
assert len(old) == len(new)


def pump(a, b, change):
    try:
        while data := a.recv(65536):
            b.sendall(data.replace(old.encode(), new.encode()) if change else data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


server = socket.socket(socket.AF_UNIX)
server.bind(listen)
server.listen(16)
while True:
    client, _ = server.accept()
    behind = socket.socket(socket.AF_UNIX)
    try:
        behind.connect(upstream)
    except OSError:
        client.close()
        continue
    threading.Thread(target=pump, args=(client, behind, False), daemon=True).start()
    threading.Thread(target=pump, args=(behind, client, True), daemon=True).start()
