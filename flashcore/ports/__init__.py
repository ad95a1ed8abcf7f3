"""Real serial ports, through pyserial."""

from flashcore.ports.discovery import PortInfo, candidates, list_ports, pick
from flashcore.ports.serial_port import SerialPort, open_port

__all__ = ["PortInfo", "SerialPort", "candidates", "list_ports", "open_port", "pick"]
