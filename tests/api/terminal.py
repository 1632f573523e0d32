"""A terminal for `driver CONFIG exec -i -t sizes x`: raw while the command runs, resized, given back: prints "ok"."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

driver, config = sys.argv[1:3]


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def expect(fd, text, seen):
    while text not in seen[0]:
        ready, _, _ = select.select([fd], [], [], 20)
        if not ready:
            sys.exit("waited for %r, got %r" % (text, seen[0]))
        data = os.read(fd, 65536)
        seen[0] += data
    seen[0] = seen[0].split(text, 1)[1]


def start():
    master, slave = pty.openpty()
    resize(slave, 25, 81)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.execv(driver, [driver, config, "exec", "-i", "-t", "sizes", "x"])
    seen = [b""]
    expect(master, b'size {"Width":81,"Height":25}\r\n', seen)
    if termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG):
        sys.exit("the terminal is not raw")
    return pid, master, slave, before, seen


def ended(pid, slave, before, wanted):
    status = os.waitpid(pid, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    if code != wanted:
        sys.exit("ended with %s, expected %s" % (code, wanted))
    if termios.tcgetattr(slave) != before:
        sys.exit("the terminal is not given back")


pid, master, slave, before, seen = start()
resize(master, 30, 100)
expect(master, b'size {"Width":100,"Height":30}\r\n', seen)
os.write(master, b"\x03")  # Ctrl-C is the command's
expect(master, b"typed b'\\x03'\r\n", seen)
os.write(master, b"q")
expect(master, b"typed b'q'\r\n", seen)
ended(pid, slave, before, 0)

pid, master, slave, before, seen = start()
os.kill(pid, signal.SIGTERM)
ended(pid, slave, before, -signal.SIGTERM)
print("ok")
