"""The bootloader protocol as pure functions and values: bytes in, values out, no IO and no clock."""
