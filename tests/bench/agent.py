#!/usr/bin/env python3
# tests/bench/agent.py RUN AGENT-PID OUT.json PODS ROUNDS: measures a node through the API of its scheduler.
import http.client, json, os, re, socket, statistics, sys, threading, time

run, agent, out, pods, rounds = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
BASE = "/api/v1/namespaces/default/pods"


class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(f"{run}/scheduler.sock")


def call(connection, method, path, body=None):
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {data.decode()}")
    return json.loads(data)


class Watch(threading.Thread):
    """When each Pod was first told to run, and when it was told to be gone."""

    def __init__(self):
        super().__init__(daemon=True)
        self.running, self.gone, self.changed = {}, {}, threading.Condition()
        self.connection = Local("localhost")
        self.connection.request("GET", BASE + "?watch=true")
        self.answer = self.connection.getresponse()
        self.start()

    def run(self):
        while line := self.answer.readline():
            event, now = json.loads(line), time.monotonic()
            name = event["object"]["metadata"].get("name")
            with self.changed:
                if event["type"] == "DELETED":
                    self.gone[name] = now
                elif event["object"].get("status", {}).get("phase") == "Running":
                    self.running.setdefault(name, now)
                elif event["object"].get("status", {}).get("phase") == "Failed":
                    print("failed:", json.dumps(event["object"]["status"]), file=sys.stderr)
                self.changed.notify_all()

    def wait(self, seen, names, seconds=300):
        with self.changed:
            if not self.changed.wait_for(lambda: all(n in seen for n in names), seconds):
                raise SystemExit(f"{len([n for n in names if n in seen])} of {len(names)} Pods after {seconds} s")


def create(connection, name):
    # A node selector that fits nothing keeps the scheduler's own hands off: the binding is ours.
    call(connection, "POST", BASE, {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 1, "nodeSelector": {"bench": "by-hand"},
                 "containers": [{"name": "wait", "image": "localhost/bench/wait:1", "imagePullPolicy": "Never"}]}})


def bind(connection, name):
    call(connection, "POST", f"{BASE}/{name}/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "bench"}})


def remove(connection, watch, names):
    for n in names:
        call(connection, "DELETE", f"{BASE}/{n}")
    watch.wait(watch.gone, names)


def kib(pid, key):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(m.group(1)) for m in re.finditer(rf"^{key}:\s+(\d+) kB", f.read(), re.M))


def monitors():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if line[0].endswith("/stube-monitor") and any(a.startswith(f"--dir={run}/") for a in line):
            found.append(int(pid))
    return found


def ready(connection):
    for _ in range(600):
        try:
            conditions = call(connection, "GET", "/api/v1/nodes/bench")["status"].get("conditions", [])
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                return
        except (SystemExit, OSError, KeyError):
            connection.close()
        time.sleep(0.1)
    raise SystemExit("the node did not become ready")


def main():
    connection, rows = Local("localhost"), []

    def row(case, view, unit, better, value):
        print(f"{case:<20} {view:<14} {value:>10.1f} {unit}")
        rows.append({"case": case, "view": view, "unit": unit, "better": better, "stube": round(value, 2)})

    ready(connection)
    watch = Watch()
    row("memory-agent", "idle", "KiB", "lower", kib(agent, "Rss"))

    times = []
    for i in range(rounds):
        name = f"one-{i}"
        create(connection, name)
        begin = time.monotonic()
        bind(connection, name)
        watch.wait(watch.running, [name])
        times.append((watch.running[name] - begin) * 1000)
        remove(connection, watch, [name])
    row("bind-to-running", "one at a time", "ms", "lower", statistics.median(times))

    names = [f"many-{i}" for i in range(pods)]
    for n in names:
        create(connection, n)
    begin = time.monotonic()
    for n in names:
        bind(connection, n)
    watch.wait(watch.running, names)
    row("pods-per-second", f"{pods} Pods", "1/s", "higher", pods / (max(watch.running[n] for n in names) - begin))

    all_monitors = monitors()
    row("memory-agent", f"{pods} Pods", "KiB", "lower", kib(agent, "Rss"))
    row("memory-monitor", "private", "KiB", "lower", statistics.median(
        kib(p, "Private_Clean") + kib(p, "Private_Dirty") for p in all_monitors))
    row("memory-monitor", "proportional", "KiB", "lower", statistics.median(kib(p, "Pss") for p in all_monitors))
    remove(connection, watch, names)

    machine = f"Linux {os.uname().release} {os.uname().machine}, {os.cpu_count()} CPUs"
    with open(out, "w") as f:
        json.dump({"machine": machine, "rows": rows}, f, indent=1)
        f.write("\n")


main()
