"""What each command does: one method a command, and how answers and failures become replies."""

from __future__ import annotations

from zb_mom_ww_mxgateway_wire.command import CommandSpec
from zb_mom_ww_mxgateway_wire.message import Message

Spec = CommandSpec[Message, object]
