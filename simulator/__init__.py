"""A virtual ESP32 on a virtual board behind a virtual serial port, with faults where one wants them."""
