"""A system's refusals as the errors that flashcore's own adapter makes of them; a pyserial client is told in its own words."""

from __future__ import annotations

from flashcore.errors import PortBusyError, PortDeniedError, PortError, PortLostError, PortNotFoundError
from simulator.host.system import Os, Refusal, answer


def error(refusal: Refusal, name: str, os: Os) -> PortError:
    """Return the error for the port called `name`."""
    said = answer(os, refusal)
    context: dict[str, str | int | float | bool | None] = {"port": name, "errno": said.number, "refusal": refusal.value}
    match refusal:
        case Refusal.MISSING:
            return PortNotFoundError(f"there is no port {name}", context=context)
        case Refusal.BUSY | Refusal.LOCKED:
            return PortBusyError(
                f"{name} is used by another program",
                hint="close the serial monitor, IDE or other flasher that has it open",
                context=context,
            )
        case Refusal.DENIED:
            return PortDeniedError(f"access to {name} is denied", context=context)
        case Refusal.CONFIG:
            return PortError(
                f"the driver of {name} refuses its settings: {said.text}", code="port.refuses_config", context=context
            )
        case Refusal.GONE:
            return PortLostError(f"{name} vanished ({said.text})", context=context)
        case Refusal.SHARED:
            return PortError(
                f"another program reads from {name} too: it took bytes that were announced",
                hint="close the serial monitor, IDE or other program that has the port open",
                code="port.shared",
                context=context,
            )


def refusal_of(problem: PortError) -> Refusal | None:
    """Return which refusal `problem` was made of, ``None`` if of none."""
    found = problem.context.get("refusal")
    return Refusal(str(found)) if found is not None else None
