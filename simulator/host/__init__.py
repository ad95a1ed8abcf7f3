"""The computer at the other end of the cable: its serial ports and USB devices, and what its system says about them."""
