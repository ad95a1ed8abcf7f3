"""Real serial ports, through pyserial, and the machine that has them."""

from flashcore.host import PortInfo
from flashcore.ports.discovery import list_ports
from flashcore.ports.serial_port import SerialPort, open_port
from flashcore.ports.system_host import SystemHost

__all__ = ["PortInfo", "SerialPort", "SystemHost", "list_ports", "open_port"]
