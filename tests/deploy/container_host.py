"""A ``docker`` without a daemon: podman with a store of its own, in a network of its own.

Needs root, and Debian's podman, runc, debootstrap and iproute2. Pulls nothing: the image that the
Dockerfile builds on is made anew from Debian's packages under the same name. So this tests our
Dockerfile, never the real base image. All that it makes is gone when it is closed.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "curl": "curl",
}
BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
BASE_PACKAGES = "ca-certificates,libpython3.11-dev,python3,python3-venv"

STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""
# Limits that may be set without CAP_SYS_RESOURCE, and no systemd.
CONTAINERS = """
[containers]
netns = "host"
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
volume_path = "{folder}/volumes"
tmp_dir = "{folder}/tmp"
static_dir = "{folder}/libpod"
"""
# Podman leaves health checks to systemd, which is not here.
DOCKER = """#!/bin/sh
if [ "$1" = run ]; then shift; exec podman run --no-healthcheck "$@"; fi
exec podman "$@"
"""


def missing() -> str:
    """What to do before this can work; empty if nothing."""
    if os.geteuid() != 0:
        return "root is needed, to build images without a daemon"
    packages = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    return f"apt-get install -y {' '.join(sorted(packages))}" if packages else ""


class ContainerHost:
    """Runs commands that find ``docker``, and talks to what they start, on ports that are free."""

    def __init__(self, folder: Path, network_pid: int) -> None:
        self.folder = folder
        self._enter = ["nsenter", "--target", str(network_pid), "--net"]
        self._environment = dict(os.environ) | {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "CONTAINERS_CONF": f"{folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
            "BUILDAH_ISOLATION": "chroot",
            "TMPDIR": str(folder),
        }

    def run(self, *command: str, isolated: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and keep what it prints."""
        return subprocess.run(
            [*(self._enter if isolated else []), *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def output(self, *command: str, isolated: bool = True) -> str:
        """What a command prints, which must succeed."""
        ran = self.run(*command, isolated=isolated)
        assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout.strip()

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command; what it prints can be read."""
        return subprocess.Popen(
            [*self._enter, *command], env=self._environment, stdout=subprocess.PIPE, text=True
        )

    def import_base_image(self) -> None:
        """Make a stand-in for the image of the Dockerfile's FROM, with Python where that has it."""
        root = self.folder / "base"
        options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
        self.output("debootstrap", *options, "bookworm", str(root), isolated=False)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        archive = self.folder / "base.tar"
        self.output("tar", "-C", str(root), "-cf", str(archive), ".", isolated=False)
        shutil.rmtree(root)
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        change = ["--change", "CMD python", "--change", f"ENV {path}"]
        self.output("podman", "import", *change, str(archive), BASE_IMAGE, isolated=False)
        archive.unlink()

    def close(self) -> None:
        """Remove containers, mounts and files."""
        self.run("podman", "rm", "--all", "--force", "--time", "0")
        mounts = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
        for mount in sorted((m for m in mounts if m.startswith(f"{self.folder}/")), reverse=True):
            self.run("umount", "--lazy", mount, isolated=False)
        shutil.rmtree(self.folder)


@contextmanager
def container_host() -> Iterator[ContainerHost]:
    """A host without images. Its network knows localhost alone, so that every port is free."""
    folder = Path(tempfile.mkdtemp(prefix="sterna-image-"))
    write(folder, {"storage.conf": STORAGE, "containers.conf": CONTAINERS, "bin/docker": DOCKER})
    (folder / "bin/docker").chmod(0o755)
    hold = "ip link set lo up && echo ready && exec sleep infinity"
    network = ["unshare", "--net", "sh", "-c", hold]
    with subprocess.Popen(network, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "ready\n"
        host = ContainerHost(folder, holder.pid)
        try:
            yield host
        finally:
            host.close()
            holder.kill()


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts, with the folder's name filled in."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace("{folder}", str(folder)))
