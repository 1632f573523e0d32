#!/usr/bin/python3
"""tests/images/layout.py: OCI layouts for tests: layout.py DIR SPEC...

Each SPEC makes one image, tagged by its name: NAME=ENCODING:BYTES[,ENCODING:BYTES...], one part a layer; ENCODING is
tar, gzip or zstd, BYTES how much random content one file in it has. index=NAME,NAME makes an index of the images
before it: the first for this machine, the others for platforms that nobody has."""
import gzip, hashlib, io, json, os, random, subprocess, sys, tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OTHERS = ["riscv64", "s390x", "ppc64le"]
directory = sys.argv[1]
here = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
os.makedirs(f"{directory}/blobs/sha256", exist_ok=True)


def blob(content, media_type):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"{directory}/blobs/sha256/{digest}", "wb") as f:
        f.write(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def document(value, media_type):
    return blob(json.dumps(value).encode(), media_type)


def layer(number, encoding, size):
    content = random.Random(f"{number} {size}").randbytes(size)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folder = tarfile.TarInfo(f"data{number}")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        entry = tarfile.TarInfo(f"data{number}/content")
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    raw = out.getvalue()
    packed = {
        "tar": lambda: raw,
        "gzip": lambda: gzip.compress(raw, 6, mtime=0),
        "zstd": lambda: subprocess.run(["zstd", "-q", "-3"], input=raw, stdout=subprocess.PIPE, check=True).stdout,
    }[encoding]()
    suffix = "" if encoding == "tar" else "+" + encoding
    descriptor = blob(packed, "application/vnd.oci.image.layer.v1.tar" + suffix)
    return descriptor, "sha256:" + hashlib.sha256(raw).hexdigest()


def image(layers, architecture):
    made = [layer(i, *spec) for i, spec in enumerate(layers)]
    config = document(
        {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/service"]},
         "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]}},
        "application/vnd.oci.image.config.v1+json")
    return document(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
         "config": config, "layers": [descriptor for descriptor, _ in made]},
        "application/vnd.oci.image.manifest.v1+json")


specs, tagged = {}, []
for word in sys.argv[2:]:
    name, _, parts = word.partition("=")
    if name == "index":
        members = []
        for architecture, member in zip([here] + OTHERS, parts.split(",")):
            members.append(image(specs[member], architecture) | {"platform": {"architecture": architecture, "os": "linux"}})
        made = document({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": members},
                        "application/vnd.oci.image.index.v1+json")
    else:
        specs[name] = [(p.split(":")[0], int(p.split(":")[1])) for p in parts.split(",")]
        made = image(specs[name], here)
    tagged.append(made | {"annotations": {"org.opencontainers.image.ref.name": name}})
with open(f"{directory}/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": tagged}, f)
with open(f"{directory}/oci-layout", "w") as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
