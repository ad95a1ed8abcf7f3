"""Putting faults to work on a running device.

Each fault gets dice of its own, so that adding a fault does not change the others. All keep count: a fault that was planned but
never fired proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from flashcore.errors import PlanError
from simulator.faults.actions_chip import ChipAction, ChipState, command_effect, enter_chip_state
from simulator.faults.actions_device import PANIC, CrashStub, DeviceAction, carry_out, restart_ns, restore
from simulator.faults.actions_flash import FlashAction, FlashState, concerns, enter_flash_state, flash_effect
from simulator.faults.actions_flow import Chatter, FlowAction, flow_effect
from simulator.faults.actions_host import LASTING, HostAction
from simulator.faults.actions_lines import LineAction, LinesOnClose, line_effect
from simulator.faults.actions_power import PowerAction, weaken
from simulator.faults.actions_stream import StreamAction, stream_effect
from simulator.faults.active import ActiveFault
from simulator.faults.bench import Bench
from simulator.faults.choose import Choice, board_of, picks_at, streams_of, watch
from simulator.faults.model import Fault
from simulator.faults.sharing import also_ask, also_hook
from simulator.faults.stream import StreamFault
from simulator.faults.talk import TalkFault
from simulator.kernel import S
from simulator.rng import Dice, Rng

if TYPE_CHECKING:
    from simulator.board.adapter import SerialAdapter
    from simulator.board.board import Board
    from simulator.chip.flash_effect import FlashEffect, FlashOperation
    from simulator.chip.gate import CommandEffect
    from simulator.wire import LineChange


def install(bench: Bench, faults: Sequence[Fault], rng: Rng, *, prefix: str = "plan") -> list[ActiveFault]:
    """Put `faults` to work, in their order.

    Args:
        bench: What they work on.
        faults: Which faults.
        rng: The run's randomness; each fault gets the stream ``fault.<prefix>.<number>``.
        prefix: Name of the plan, which sets its dice apart from those of others.

    Returns:
        The faults at work, whose ``fired`` tells afterwards whether they struck.

    Raises:
        PlanError: A fault needs a board or a host view, and there is none.
    """
    return [_activate(fault, bench, rng.stream(f"fault.{prefix}.{index}")) for index, fault in enumerate(faults)]


def _activate(fault: Fault, bench: Bench, dice: Dice) -> ActiveFault:
    action = fault.what
    if isinstance(action, Chatter):
        return TalkFault(fault, action, bench, dice)
    if isinstance(action, StreamAction):
        return _in_stream(StreamFault(fault, bench, dice, stream_effect(action, dice)), bench)
    if isinstance(action, FlowAction):
        effect = flow_effect(action, dice, bench.adapter, lambda: bench.kernel.now)
        return _in_stream(StreamFault(fault, bench, dice, effect), bench)
    active = ActiveFault(fault, bench)
    if isinstance(action, ChipAction) or (isinstance(action, CrashStub) and picks_at(fault.when, fault.where)):
        _at_commands(active, action, bench, dice)
    elif isinstance(action, FlashAction):
        _at_flash(active, action, bench, dice)
    elif isinstance(action, LineAction):
        _at_lines(active, action, bench, dice)
    elif isinstance(action, LinesOnClose):
        choice = Choice(fault.where, fault.when, bench, dice)
        bench.adapter.on_close.append(partial(_move_lines, active, action, choice, bench))
    elif isinstance(action, HostAction):
        _at_host(active, action, bench, dice)
    else:
        watch(fault.where, fault.when, bench, dice, partial(_begin, active, action, board_of(bench, active.name), dice))
    return active


def _begin(active: ActiveFault, action: DeviceAction | ChipState | FlashState | PowerAction, board: Board, dice: Dice) -> None:
    """Do a deed, or let a state begin."""
    if isinstance(action, DeviceAction):
        active.strike(partial(carry_out, action, board))
        active.on_heal(partial(restore, board))
    elif isinstance(action, ChipState):
        active.on_heal(enter_chip_state(action, board.soc, dice, active.may, active.struck))
    elif isinstance(action, FlashState):
        active.on_heal(enter_flash_state(action, board.soc.flash, dice, active.may, active.struck))
    else:
        weaken(action, board, active.may, active.struck)


def _in_stream(fault: StreamFault, bench: Bench) -> StreamFault:
    streams_of(bench.adapter.taps, fault.fault.where).append(fault)
    fault.on_heal(partial(setattr, bench.adapter, "blocked_ns", 0))
    return fault


def _at_commands(active: ActiveFault, action: ChipAction | CrashStub, bench: Bench, dice: Dice) -> None:
    from simulator.chip.gate import UNHARMED, CommandEffect

    soc = board_of(bench, active.name).soc
    choice = Choice(active.fault.where, active.fault.when, bench, dice)

    def asked(opcode: int, size: int) -> CommandEffect:
        if not choice.takes(opcode) or not active.holds:
            return UNHARMED
        if isinstance(action, CrashStub):
            effect = CommandEffect(crash=PANIC, restart_ns=restart_ns(action))
        else:
            effect = command_effect(action, opcode, size)
        if effect is not UNHARMED:
            active.struck(f"command 0x{opcode:02x}")
        return effect

    soc.gate = also_ask(soc.gate, asked)


def _at_flash(active: ActiveFault, action: FlashAction, bench: Bench, dice: Dice) -> None:
    flash = board_of(bench, active.name).soc.flash
    choice = Choice(active.fault.where, active.fault.when, bench, dice)

    def asked(operation: FlashOperation, offset: int, length: int) -> FlashEffect | None:
        takes = choice.takes(operation=operation)
        if not takes or not active.holds or not concerns(action, operation, offset, length):
            return None
        active.struck(f"{operation.name.lower()} 0x{offset:x}")
        return flash_effect(action, dice, offset, length)

    flash.hook = also_hook(flash.hook, asked)


def _at_lines(active: ActiveFault, action: LineAction, bench: Bench, dice: Dice) -> None:
    choice = Choice(active.fault.where, active.fault.when, bench, dice)
    effect = line_effect(action, dice)
    asked = (bench.adapter.dtr, bench.adapter.rts)

    def tap(change: LineChange) -> Sequence[LineChange]:
        nonlocal asked
        moves = (change.dtr, change.rts) != asked
        asked = change.dtr, change.rts
        if not moves and picks_at(active.fault.when, active.fault.where):
            return (change,)
        if not choice.takes() or not active.holds:
            return (change,)
        changes = effect(change)
        if list(changes) != [change]:
            active.struck(f"dtr={change.dtr:d} rts={change.rts:d}")
        return changes

    bench.adapter.taps.lines.append(tap)


def _move_lines(active: ActiveFault, action: LinesOnClose, choice: Choice, bench: Bench) -> None:
    adapter, wanted = bench.adapter, action.asserted
    if not active.holds or not choice.takes() or (adapter.dtr, adapter.rts) == (wanted, wanted):
        return
    active.struck(f"dtr={adapter.dtr:d} rts={adapter.rts:d} at the close")
    first = (adapter.dtr, True) if wanted else (False, adapter.rts)
    adapter.set_lines(*first)
    bench.kernel.after(round(action.seconds * S), partial(_settle, adapter, wanted))


def _settle(adapter: SerialAdapter, asserted: bool) -> None:
    if not adapter.is_open:
        adapter.set_lines(asserted, asserted)


def _at_host(active: ActiveFault, action: HostAction, bench: Bench, dice: Dice) -> None:
    host = bench.host
    if host is None:
        raise PlanError(f"{active.name} needs a host view, and there is none", hint="build the world from a scenario")
    if not isinstance(action, LASTING):
        deed = partial(host.carry_out, action, active.may, active.struck)
        watch(active.fault.where, active.fault.when, bench, dice, lambda: deed() if active.holds else None)
    else:
        choice = Choice(active.fault.where, active.fault.when, bench, dice)
        host.carry_out(action, lambda: active.holds and choice.takes(), active.struck)
