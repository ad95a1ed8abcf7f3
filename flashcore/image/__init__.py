"""Firmware images, partition tables, and what can be known to be wrong with them before writing."""

from __future__ import annotations

from flashcore.image.checks import ImageWarning, check
from flashcore.image.description import Description, describe, describe_bytes
from flashcore.image.descriptor import AppDescriptor
from flashcore.image.firmware import Firmware, FlashMode, Header, Role, Segment
from flashcore.image.parser import parse as parse_firmware
from flashcore.image.partition_table import Partition, PartitionTable, PartitionType
from flashcore.image.partition_table import parse as parse_partition_table
from flashcore.image.region import Region, load_regions

__all__ = [
    "AppDescriptor",
    "Description",
    "Firmware",
    "FlashMode",
    "Header",
    "ImageWarning",
    "Partition",
    "PartitionTable",
    "PartitionType",
    "Region",
    "Role",
    "Segment",
    "check",
    "describe",
    "describe_bytes",
    "load_regions",
    "parse_firmware",
    "parse_partition_table",
]
