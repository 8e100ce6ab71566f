"""Disks that fill up, and disks whose power goes.

Both need to be root. A power cut is what the file system's own shutdown makes of it: nothing that was not synced reaches the disk.
"""

import fcntl
import os
import pathlib
import random
import struct
import subprocess
import tempfile
import time

from agent import Agent, Client, Gone
from kills import under_faults
from model import Model, difference
from script import Script

# `XFS_IOC_GOINGDOWN`, which ext4 answers, too; 2: drop what is not synced, the log included.
GOING_DOWN, DROP_ALL = 0x8004587D, 2
IMAGE_BYTES = 400 * 1024 * 1024
WORKERS = 4
POWER_AFTER_SECONDS = (0.02, 0.4)


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Disk:
    """A file system in a file."""

    def __init__(self, kind, folder):
        self.image, self.mount_point = pathlib.Path(folder) / "image", pathlib.Path(folder) / "disk"
        self.mount_point.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_BYTES)
        run(*{"ext4": ["mkfs.ext4", "-q", "-b", "4096"], "xfs": ["mkfs.xfs", "-q"]}[kind], str(self.image))
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", str(self.image), str(self.mount_point))

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", str(self.mount_point)], capture_output=True).returncode == 0:
                return
            time.sleep(0.02)
        raise AssertionError("it stays mounted")

    def cut_power(self):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, GOING_DOWN, struct.pack("I", DROP_ALL))
        finally:
            os.close(folder)


def power_cuts(program, kind, count, seed, report, folder=None):
    """So many power cuts of one file system under load."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        disk = Disk(kind, root)
        agent = Agent(program, pathlib.Path(root) / "agent", disk.mount_point / "ledger.db")

        def cut_power():
            disk.cut_power()
            agent.kill()
            disk.unmount()
            disk.mount()

        try:
            done = under_faults(agent, WORKERS, count, f"{seed}/{kind}", POWER_AFTER_SECONDS, cut_power, f"power cuts on {kind}", report)
            agent.start()
            agent.stop()
            problem = agent.verify()
            assert not problem, problem
        finally:
            agent.kill()
            disk.unmount()
        return {"power cuts": count, "file system": kind, **done}


def full_disks(program, count, seed, report):
    """A disk fills up while a worker records, and gets room again, so many times; each time it is seen whether reads go on."""
    chance = random.Random(seed)
    done = refused = 0
    for number in range(count):
        with tempfile.TemporaryDirectory() as root:
            disk = pathlib.Path(root) / "disk"
            disk.mkdir()
            run("mount", "-t", "tmpfs", "-o", f"size={chance.randrange(7_000, 12_000)}k", "tmpfs", str(disk))
            agent = Agent(program, pathlib.Path(root) / "agent", disk / "ledger.db")
            try:
                agent.start()
                script, client = Script(f"{seed}/{number}", Model(), padding_bytes=3_000), Client(agent)
                ballast = disk / "ballast"
                rest_bytes = chance.randrange(0, 300_000)
                with open(ballast, "wb") as to:
                    status = os.statvfs(disk)
                    os.posix_fallocate(to.fileno(), 0, max(4_096, status.f_bavail * status.f_bsize - rest_bytes))
                was_refused = False
                for _ in range(300):
                    operation = script.next()
                    try:
                        operation.attempt(client)
                    except Gone:
                        was_refused, refused = True, refused + 1
                        found = difference(client, script.model)
                        assert not found, f"full: {found}"
                        ballast.unlink(missing_ok=True)
                        end = time.monotonic() + 30
                        while True:
                            try:
                                operation.attempt(client)
                                break
                            except Gone:
                                room_bytes = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
                                assert time.monotonic() < end, f"it does not record although there are {room_bytes} bytes of room"
                                time.sleep(0.05)
                    operation.apply(script)
                    done += 1
                    # Later the ledger itself would fill the disk.
                    if was_refused and chance.random() < 0.1:
                        break
                found = difference(client, script.model)
                assert not found, found
                if chance.random() < 0.5:
                    agent.kill()
                    agent.start()
                    found = difference(Client(agent), script.model)
                    assert not found, f"after a kill: {found}"
                ballast.unlink(missing_ok=True)
                agent.stop()
                problem = agent.verify()
                assert not problem, problem
            finally:
                agent.kill()
                run("umount", "-l", str(disk))
        if number % 10 == 9:
            report(f"{number + 1} full disks", done=done, refused=refused)
    return {"full disks": count, "operations": done, "refused": refused}
