"""check_contrast.py STYLE: every pair of text and ground in the style has a contrast of 4.5 (WCAG 1.4.3), in both modes."""
import re
import sys

TEXT = """ink:paper ink:ground ink:tint ink:good-tint ink:bad-tint quiet:paper quiet:ground quiet:tint blue:paper
blue:ground blue:tint blue-dark:tint blue-dark:paper on-blue:blue on-blue:blue-dark good:good-tint bad:bad-tint bad:paper
bad:ground act:act-tint paper:bad""".split()
PARTS = "edge:paper edge:ground blue:paper focus:ground".split()  # WCAG 1.4.11; the focus also has a dark ring


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, two):
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


blocks = re.findall(r":root \{(.*?)\}", open(sys.argv[1], encoding="utf-8").read(), re.S)
assert len(blocks) == 2
for mode, block in zip(("light", "dark"), blocks):
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    for pair in TEXT:
        front, ground = pair.split(":")
        got = contrast(colours[front], colours[ground])
        assert got >= 4.5, f"{mode}: {pair} has {got:.2f}"
    for pair in PARTS:
        if (mode, pair) == ("light", "focus:ground"):
            pair = "ink:ground"  # the ring
        front, ground = pair.split(":")
        got = contrast(colours[front], colours[ground])
        assert got >= 3, f"{mode}: {pair} has {got:.2f}"
