#!/usr/bin/python3
"""A stand-in for criu: speaks `criu swrk FD`, notes the request in $FAKE_DIR/request.json under the names of CRIU's
rpc.proto, and behaves as the words in $FAKE_DIR/mode say. It knows no process but one `sleep` that it "restores"."""
import ctypes, json, os, signal, socket, sys, time

DIR = os.environ["FAKE_DIR"]
MODE = open(DIR + "/mode").read().split()

TYPES = {1: "DUMP", 2: "RESTORE", 4: "PRE_DUMP"}
PAIR = {1: ("key", "text"), 2: ("val", "text")}
# images/rpc.proto of CRIU: number: (name, form, repeated)
OPTS = {
    1: ("images_dir_fd", "int"), 2: ("pid", "int"), 3: ("leave_running", "bool"), 4: ("ext_unix_sk", "bool"),
    5: ("tcp_established", "bool"), 6: ("evasive_devices", "bool"), 7: ("shell_job", "bool"),
    8: ("file_locks", "bool"), 9: ("log_level", "int"), 10: ("log_file", "text"),
    11: ("ps", {1: ("address", "text"), 2: ("port", "int")}), 12: ("notify_scripts", "bool"), 13: ("root", "text"),
    14: ("parent_img", "text"), 15: ("track_mem", "bool"), 16: ("auto_dedup", "bool"), 17: ("work_dir_fd", "int"),
    18: ("link_remap", "bool"), 23: ("ext_mnt", PAIR, True), 24: ("manage_cgroups", "bool"),
    25: ("cg_root", {1: ("ctrl", "text"), 2: ("path", "text")}, True), 26: ("rst_sibling", "bool"),
    27: ("inherit_fd", {1: ("key", "text"), 2: ("fd", "int")}, True), 34: ("manage_cgroups_mode", "int"),
    37: ("external", "text", True), 38: ("empty_ns", "int"),
    39: ("join_ns", {1: ("ns", "text"), 2: ("ns_file", "text")}, True), 44: ("freeze_cgroup", "text"),
    46: ("tcp_skip_in_flight", "bool"), 48: ("lazy_pages", "bool"), 49: ("status_fd", "int"),
    50: ("orphan_pts_master", "bool"), 51: ("config_file", "text"), 52: ("tcp_close", "bool"),
    53: ("lsm_profile", "text"), 63: ("lsm_mount_context", "text"), 64: ("network_lock", "int"),
}


def varint(b, at):
    value = shift = 0
    while True:
        value |= (b[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if b[at - 1] < 0x80:
            return value, at


def decode(b, table):
    out, at = {}, 0
    while at < len(b):
        key, at = varint(b, at)
        value, at = varint(b, at)
        name, form, repeated = (table[key >> 3] + (False,))[:3]
        assert key & 7 == (0 if form in ("int", "bool") else 2), name
        if key & 7 == 2:
            raw, at = b[at:at + value], at + value
            value = raw.decode() if form == "text" else decode(raw, form)
        elif form == "bool":
            value = bool(value)
        if repeated:
            out.setdefault(name, []).append(value)
        else:
            assert name not in out, name
            out[name] = value
    return out


def number(field, value):
    out = bytes()
    for v in (field << 3, value):
        while v >= 0x80:
            out, v = out + bytes([v & 0x7F | 0x80]), v >> 7
        out += bytes([v])
    return out


def text(field, value):
    # Lengths below 128: one byte.
    return bytes([field << 3 | 2, len(value)]) + value


def request(sock):
    message = sock.recv(4 << 20)
    (kind, at), rest = varint(message, 1), None
    assert message[0] == 8 and message[at] == 2 << 3 | 2
    length, at = varint(message, at + 1)
    opts = decode(message[at:at + length], OPTS)
    json.dump({"type": TYPES[kind], **opts}, open(DIR + "/request.json", "w"), sort_keys=True)
    return kind, opts


def notify(sock, moment, pid=0, fds=()):
    body = text(1, moment.encode()) + (number(2, pid) if pid else b"")
    socket.send_fds(sock, [number(1, 6) + number(2, 1) + text(5, body)], list(fds))
    reply = sock.recv(4096)
    assert reply[:2] == number(1, 6), reply
    return reply[2:] == number(3, 1)


def clone(flags):
    # A child of the runtime's, as rst_sibling asks.
    pid = ctypes.CDLL(None).syscall(56, ctypes.c_ulong(flags | signal.SIGCHLD | 0x8000), 0, 0, 0, 0)
    if pid == 0:
        for fd in [int(n) for n in os.listdir("/proc/self/fd")]:
            if fd > 2:
                try:
                    os.close(fd)
                except OSError:
                    pass
        os.execv("/bin/sleep", ["sleep", "1000"])
    return pid


def log(opts, line):
    with open(f"/proc/self/fd/{opts['work_dir_fd']}/{opts['log_file']}", "a") as f:
        f.write(line + "\n")


def main():
    if "early" in MODE:
        print("Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds", file=sys.stderr)
        sys.exit(1)
    sock = socket.socket(fileno=int(sys.argv[2]))
    kind, opts = request(sock)
    with open(DIR + "/seen", "w") as f:
        f.write(open("/proc/self/cgroup").read().split("0::")[1].split("\n")[0] + "\n")
        f.write(" ".join(sorted(os.listdir("/proc/self/fd"), key=int)) + "\n")
        f.write(open("/proc/self/mountinfo").read())
        f.write(open("/proc/self/status").read())
    pid = opts.get("pid", 0)
    if "freeze" in MODE:
        with open(opts["freeze_cgroup"] + "/cgroup.freeze", "w") as f:
            f.write("1")
    if "die" in MODE:
        os.kill(os.getpid(), signal.SIGKILL)
    if "garbage" in MODE:
        sock.send(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
        time.sleep(1000)
    if kind == 2 and "early-refusal" not in MODE:
        pid = clone(0x40000000)
        open(DIR + "/pid", "w").write(str(pid))
        good = notify(sock, "setup-namespaces", pid)
        if "terminal" in MODE:
            master, slave = os.openpty()
            good = good and notify(sock, "orphan-pts-master", 0, [master])
            os.write(slave, b"from the restored\n")
        good = good and notify(sock, "post-restore", pid)
        if not good:
            MODE.append("fail")
    if "fail" in MODE or "early-refusal" in MODE:
        log(opts, "(00.000001) Warn  (criu/a.c:1): nothing")
        log(opts, "(00.000002) Error (criu/mount.c:12): mnt: first reason")
        log(opts, "(00.000003) Error (criu/mount.c:34): mnt: second \x1b[31mreason")
        log(opts, "(00.000004) Error (criu/cr-dump.c:56): Dumping FAILED.")
        sock.send(number(1, kind) + number(2, 0) + number(7, 5))
        return
    if "errno" in MODE:
        sock.send(number(1, kind) + number(2, 0) + number(7, 3) + text(9, b"told by criu"))
        return
    if kind == 1 and not opts.get("leave_running"):
        os.kill(pid, signal.SIGKILL)
    sock.send(number(1, kind) + number(2, 1) + (text(4, number(1, pid)) if kind == 2 else b""))
    if kind == 4:
        # CRIU waits for the next request of the chain, and takes an end for a failure.
        sock.recv(4096)
        sys.exit(1)


main()
