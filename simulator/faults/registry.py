"""Which names the text form has for triggers, actions and rules of healing, and where each action may stand."""

from __future__ import annotations

from simulator.faults import (
    actions_chip,
    actions_device,
    actions_flash,
    actions_flow,
    actions_host,
    actions_lines,
    actions_power,
    actions_stream,
    heals,
    triggers,
)
from simulator.faults.heals import Heals
from simulator.faults.model import STREAMS, Action, Where
from simulator.faults.triggers import Trigger

TRIGGERS: dict[str, type[Trigger]] = {
    "always": triggers.Always,
    "nth_frame": triggers.NthFrame,
    "every": triggers.Every,
    "chance": triggers.Chance,
    "nth_byte": triggers.NthByte,
    "after": triggers.After,
    "at": triggers.At,
    "flash_op": triggers.FlashOp,
    "nth_edge": triggers.NthEdge,
    "session": triggers.Session,
    "on_reset": triggers.OnReset,
    "nth_open": triggers.NthOpen,
    "nth_reconfigure": triggers.NthReconfigure,
}
"""What may stand in the second place; ``after`` takes another trigger too."""

ACTIONS: dict[str, type[Action]] = {
    "drop": actions_stream.Drop,
    "corrupt": actions_stream.Corrupt,
    "lose": actions_stream.Lose,
    "insert": actions_stream.Insert,
    "duplicate": actions_stream.Duplicate,
    "delay": actions_stream.Delay,
    "truncate": actions_stream.Truncate,
    "stall": actions_stream.Stall,
    "long_burst": actions_stream.LongBurst,
    "chunked": actions_flow.Chunked,
    "hold": actions_flow.Hold,
    "overflow": actions_flow.Overflow,
    "noise": actions_flow.Noise,
    "stuck": actions_flow.Stuck,
    "deaf_after_close": actions_flow.DeafAfterClose,
    "chatter": actions_flow.Chatter,
    "line_stuck": actions_lines.LineStuck,
    "line_swap": actions_lines.LineSwap,
    "line_delay": actions_lines.LineDelay,
    "line_ignore": actions_lines.LineIgnore,
    "line_split": actions_lines.LineSplit,
    "hold_dtr": actions_lines.HoldDtr,
    "lines_on_close": actions_lines.LinesOnClose,
    "no_reply": actions_chip.NoReply,
    "status": actions_chip.Status,
    "late_reply": actions_chip.LateReply,
    "unknown": actions_chip.Unknown,
    "secure_download": actions_chip.SecureDownload,
    "register": actions_chip.Register,
    "clock_error": actions_chip.ClockError,
    "latch_straps": actions_chip.LatchStraps,
    "watchdog": actions_chip.Watchdog,
    "ignore": actions_flash.IgnoreOperation,
    "fail": actions_flash.FailOperation,
    "slow_erase": actions_flash.SlowErase,
    "slow_program": actions_flash.SlowProgram,
    "bit_rot": actions_flash.BitRot,
    "stuck_bits": actions_flash.StuckBits,
    "bad_sector": actions_flash.BadSector,
    "wrong_id": actions_flash.WrongId,
    "silent": actions_flash.Silent,
    "write_protect": actions_flash.WriteProtect,
    "power_down": actions_flash.PowerDown,
    "odd_mode": actions_flash.OddMode,
    "weak_supply": actions_power.WeakSupply,
    "reset_chip": actions_device.ResetChip,
    "brownout": actions_device.Brownout,
    "power_cut": actions_device.PowerCut,
    "crash_stub": actions_device.CrashStub,
    "disconnect": actions_host.Disconnect,
    "appear": actions_host.Appear,
    "grab": actions_host.Grab,
    "busy": actions_host.Busy,
    "denied": actions_host.Denied,
    "missing": actions_host.Missing,
    "refuse_config": actions_host.RefuseConfig,
    "steal": actions_host.Steal,
}
"""What may stand in the third place."""

HEALS: dict[str, type[Heals]] = {
    "never": heals.Never,
    "after": heals.AfterHits,
    "lower_baud": heals.LowerBaud,
    "shorter": heals.Shorter,
    "reopen": heals.Reopen,
    "replug": heals.Replug,
    "reset": heals.Reset,
    "other_port": heals.OtherPort,
}
"""What may stand behind ``heals=``."""


def places(action: type[Action]) -> tuple[Where, ...]:
    """Return where a fault with this action may sit."""
    name = action.__module__.rpartition(".")[2]
    if action is actions_flow.Stuck:
        return (Where.HOST_TO_BRIDGE,)
    if action is actions_flow.DeafAfterClose:
        return (Where.BRIDGE_TO_HOST,)
    if action is actions_host.Disconnect or name == "actions_device":
        return tuple(Where)
    return {
        "actions_stream": STREAMS,
        "actions_flow": STREAMS,
        "actions_lines": (Where.LINES,),
        "actions_chip": (Where.CHIP,),
        "actions_flash": (Where.FLASH,),
        "actions_power": (Where.POWER,),
        "actions_host": (Where.USB, Where.PORT),
    }[name]


def suits(trigger: Trigger, where: Where) -> bool:
    """Return whether `trigger` means something at `where`."""
    match trigger:
        case triggers.AfterTrigger(inner):
            return suits(inner, where)
        case triggers.NthByte():
            return where in STREAMS
        case triggers.NthFrame():
            return where in (*STREAMS, Where.CHIP)
        case triggers.Every() | triggers.Chance():
            return where in (*STREAMS, Where.CHIP, Where.FLASH, Where.LINES)
        case _:
            return True
