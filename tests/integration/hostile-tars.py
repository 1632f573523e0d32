"""Tars that try to leave their directory, one file each: hostile-tars.py OUTDIR OUTSIDE.

OUTSIDE is the absolute path of a directory that must not change. A file's name ends in .ok.tar where the
archive has a harmless reading that both ways must agree on, in .bad.tar where it must be refused.
"""
import io
import sys
import tarfile

out_dir, outside = sys.argv[1], sys.argv[2]
count = 0


def entry(name, kind=tarfile.REGTYPE, link="", data=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o666
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def file(name, data=b"attack", **attributes):
    return entry(name, data=data, **attributes)


def link(name, target):
    return entry(name, tarfile.SYMTYPE, target)


def hard(name, target):
    return entry(name, tarfile.LNKTYPE, target)


def folder(name, **attributes):
    return entry(name, tarfile.DIRTYPE, **attributes)


def write(title, verdict, *entries):
    global count
    count += 1
    path = f"{out_dir}/{count:02}-{title}.{verdict}.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in entries:
            # TarInfo would clean names; the attacker does not.
            buf = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
            tar.fileobj.write(buf)
            tar.fileobj.write(data + b"\0" * (-len(data) % 512))
            tar.offset += len(buf) + len(data) + (-len(data) % 512)


up = "../" * 20
deep = up + outside.lstrip("/")

write("climbing-name", "ok", file(deep + "/file"))
write("climbing-name-inside", "ok", file("a/../../../" + outside.lstrip("/") + "/file"))
write("absolute-name", "ok", file(outside + "/file"))
write("climbing-folder", "ok", folder(deep, mode=0o777), file(deep + "/new"))
write("file-through-absolute-link", "ok", link("a", outside), file("a/file"))
write("file-through-climbing-link", "ok", link("a", deep), file("a/file"))
write("file-through-two-links", "ok", link("a", "b"), link("b", outside), file("a/file"))
write("file-through-link-in-folder", "ok", folder("d"), link("d/a", outside), file("d/a/file"))
write("folder-through-link", "ok", link("a", outside), folder("a", mode=0o777), file("a/file"))
write("folder-below-link", "ok", link("a", outside), folder("a/new", mode=0o777))
write("file-over-link", "ok", link("a", outside + "/file"), file("a"))
write("file-over-link-slash", "ok", link("a", outside + "/file"), file("./a"))
write("mode-through-link", "ok", link("a", outside + "/file"), file("a", mode=0o777, uid=1))
write("link-over-folder", "ok", folder("a"), file("a/x"), link("a", outside), file("a/file"))
write("link-swapped-in-twice", "ok", folder("a"), link("a", outside), folder("a"), file("a/file"))
write("root-is-link", "bad", link(".", outside), file("file"))
write("root-dot-is-link", "bad", link("/.", outside), file("file"))
write("root-slash-is-link", "bad", link("./", outside), file("file"))
write("root-is-file", "bad", file(".", b""), file("file"))
write("hard-link-absolute", "bad", hard("a", outside + "/file"), file("a"))
write("hard-link-climbing", "bad", hard("a", deep + "/file"), file("a"))
write("hard-link-relative-to-here", "bad", hard("a", "sentinel"), file("a"))
write("hard-link-through-link", "bad", link("d", outside), hard("a", "d/file"))
write("hard-link-through-climbing-link", "bad", link("d", ".."), hard("a", "d/sentinel"))
write("hard-link-to-link", "ok", link("s", outside + "/file"), hard("a", "s"))
write("hard-link-to-link-then-file", "ok", link("s", outside + "/file"), hard("a", "s"), file("a", mode=0o777))
write("hard-link-to-link-then-through", "ok", link("s", outside), hard("a", "s"), file("a/file"))
write("hard-link-to-folder", "bad", folder("d"), hard("a", "d"))
write("whiteout-climbing", "bad", file("a/.wh..."))
write("whiteout-of-folder", "bad", file("a/.wh.."))
write("whiteout-of-nothing", "bad", file("a/.wh."))
write("whiteout-with-slash", "bad", file("a/.wh./x"))
write("whiteout-through-link", "ok", link("a", outside), file("a/.wh.file", b""))
write("whiteout-outside", "ok", file(deep + "/.wh.file", b""))
write("opaque-through-link", "ok", link("a", outside), file("a/.wh..wh..opq", b""))
write("opaque-outside", "ok", file(deep + "/.wh..wh..opq", b""))
write("device-over-link", "ok", link("a", outside + "/file"),
      entry("a", tarfile.CHRTYPE, devmajor=1, devminor=3))
write("fifo-over-link", "ok", link("a", outside + "/file"), entry("a", tarfile.FIFOTYPE))
write("device-through-link", "ok", link("a", outside),
      entry("a/file", tarfile.CHRTYPE, devmajor=1, devminor=3))
write("file-below-file", "bad", file("a"), file("a/b"))
write("file-below-device", "bad", entry("a", tarfile.CHRTYPE, devmajor=1, devminor=3), file("a/b"))
write("endless-links", "bad", link("a", "b"), link("b", "a"), file("a/x"))
write("link-to-itself", "bad", link("a", "a/a"), file("a/x"))
write("setuid-then-link", "ok", file("a", mode=0o4755), hard("b", "a"), link("a", outside + "/file"))
write("proc-link", "ok", link("a", "/proc/self/cwd"), file("a/sentinel"))
write("proc-root-link", "ok", link("a", "/proc/self/root"), file("a" + outside + "/file"))
