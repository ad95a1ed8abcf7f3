"""A hardened flashing core for Espressif chips.

    from flashcore import Flasher, Region, open_port

    with Flasher.open(open_port("/dev/ttyUSB0")) as flasher:
        print(flasher.info().silicon)
        flasher.write([Region(offset=0x10000, data=firmware)])

The names below load what they need when they are first used, so importing the package costs nothing.
"""

from flashcore.exports import __dir__ as __dir__
from flashcore.exports import __getattr__ as __getattr__
