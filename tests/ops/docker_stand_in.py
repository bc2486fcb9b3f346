"""A `docker` that pushes by the registry's API, which is all that an embedded AWS has of a registry.

It builds nothing: an image of it is a manifest that holds its first tag and its labels, of which one is the
commit. Its calls are in the file that `CALLS` names; with `STATUS` a build fails.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAM = f"""#!{sys.executable}
import hashlib, json, os, sys
from botocore.session import Session
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    print(" ".join(arguments[:2]), file=calls)
if arguments == ["--version"]:
    print("Docker version 28.0.0")
if arguments[:2] == ["buildx", "build"]:
    if os.environ.get("STATUS"):
        sys.exit(1)
    (file,) = [a.partition("=")[2] for a in arguments if a.startswith("--metadata-file=")]
    images = [a.partition("=")[2] for a in arguments if a.startswith("--tag=")]
    labels = " ".join(a for a in arguments if a.startswith("--label="))
    layer = {{"digest": "sha256:" + hashlib.sha256((images[0] + labels).encode()).hexdigest()}}
    for image in images:
        host, _, path = image.partition("/")
        repository, _, tag = path.partition(":")
        put = Session().create_client("ecr", region_name=host.split(".")[3]).put_image(
            registryId=host.split(".")[0],
            repositoryName=repository,
            imageManifest=json.dumps({{"schemaVersion": 2, "layers": [layer]}}),
            imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
            imageTag=tag,
        )
    with open(file, "w") as metadata:
        json.dump({{"containerimage.digest": put["image"]["imageId"]["imageDigest"]}}, metadata)
"""


def docker_stand_in(directory: Path) -> Mapping[str, str]:
    """Put it into a directory; returns the variables with which `docker` is it."""
    executable = directory / "docker"
    executable.write_text(PROGRAM)
    executable.chmod(0o755)
    calls = directory / "calls"
    calls.touch()
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "CALLS": str(calls), "SOURCE_DATE_EPOCH": "1700000000"}
