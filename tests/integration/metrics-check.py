#!/usr/bin/env python3
# tests/integration/metrics-check.py FILE: Prometheus' text format: each family announced once and in one piece, names,
# labels and values well-formed, no sample twice, histograms cumulative with +Inf equal to _count.
import re, sys

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')


def check(lines):
    types, family, closed, seen, buckets = {}, None, set(), set(), {}
    for number, line in enumerate(lines, 1):
        def wrong(why):
            sys.exit(f"line {number}: {why}: {line}")

        if line.startswith("# "):
            word, name, rest = (line[2:].split(" ", 2) + ["", ""])[:3]
            if word not in ("HELP", "TYPE") or not rest:
                wrong("neither HELP nor TYPE")
            if word == "HELP":
                if name in closed or name == family:
                    wrong("family begins twice")
                if family:
                    closed.add(family)
                family = name
            elif name != family or rest not in ("counter", "gauge", "histogram"):
                wrong("TYPE without its HELP, or unknown")
            else:
                types[name] = rest
            continue
        m = SAMPLE.match(line)
        if not m:
            wrong("no sample")
        name, labels, value = m.groups()
        float(value)
        base = re.sub(r"_(bucket|sum|count)$", "", name) if types.get(family) == "histogram" else name
        if base != family or family not in types:
            wrong(f"outside of its family '{family}'")
        if types[family] == "counter" and not name.endswith("_total"):
            wrong("a counter's name ends in _total")
        if (name, labels) in seen:
            wrong("twice")
        seen.add((name, labels))
        if name.endswith("_bucket"):
            if float(value) < buckets.get(base, 0):
                wrong("a bucket smaller than the one before")
            buckets[base] = float(value)
        if name.endswith("_count") and base in buckets and buckets[base] != float(value):
            wrong("+Inf is not the count")
    if not seen:
        sys.exit("no samples")


with open(sys.argv[1]) as f:
    text = f.read()
if not text.endswith("\n"):
    sys.exit("the last line has no end")
check(text.splitlines())
