"""What a computer knows of its ports beyond the ports themselves, as files for clients that are other processes.

Two of them, written anew at each change: the list of ports that `simulator.preload.port_list` shows to pyserial, and the USB
devices as Linux shows them below ``/sys``, which flashcore reads where ``SYSFS_PATH`` says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from simulator.host.system import Os
from simulator.host.virtual_host import VirtualHost
from simulator.preload import environment, port_list


class HostFiles:
    """The files of one computer, kept up to date.

    Args:
        host: The computer.
        folder: Where the files go; they are removed with it.
        path_of: What a client opens for the port of that name; by default the name. What begins with `folder` is listed only
            while it is there.
    """

    def __init__(self, host: VirtualHost, folder: Path, path_of: Callable[[str], str] = str) -> None:
        self._folder = str(folder)
        self._host = host
        self._list = folder / "ports.json"
        self._sys = folder / "sys"
        self._path_of = path_of
        host.on_change.append(self.write)
        self.write()

    def write(self) -> None:
        """Bring the files up to date."""
        found = environment.shown_by(self._host, self._path_of, quietly=True)
        shown = [port for port in found if not port.device.startswith(self._folder) or os.path.exists(port.device)]
        partial = self._list.with_suffix(".new")
        partial.write_text(port_list.to_json(shown), encoding="utf-8")
        partial.replace(self._list)
        _write_sysfs(self._host, self._sys)

    @property
    def list_file(self) -> str:
        """The file with the list of ports."""
        return str(self._list)

    def usb(self) -> dict[str, str]:
        """Return the environment of a client that is to see the USB devices."""
        return {port_list.SYSFS: str(self._sys)}


def _write_sysfs(host: VirtualHost, folder: Path) -> None:
    """Show the USB devices of `host` below `folder` as Linux does below ``/sys``; nothing for other systems."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    devices = fresh / "bus/usb/devices"
    fresh.mkdir(parents=True)
    if host.os is Os.LINUX:
        devices.mkdir(parents=True)
        for unit in host.units:
            who = unit.identity
            if not unit.present or not who.is_usb:
                continue
            place = devices / who.location
            place.mkdir()
            for key, text in (
                ("idVendor", f"{who.vid:04x}"),
                ("idProduct", f"{who.pid:04x}"),
                ("bDeviceClass", "00"),
                ("serial", who.serial),
                ("product", who.product),
            ):
                if text:
                    (place / key).write_text(text + "\n", encoding="utf-8")
            for number, node in enumerate(unit.nodes):
                if node.listed:
                    (devices / f"{who.location}:1.{number}" / os.path.basename(node.name)).mkdir(parents=True)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
