"""IL, the transport that 9P had before TCP, without I/O (docs/il.md).

An `Il` is one end of a conversation: it is told what came and what time it is, and is asked what to
send, when to be called again and what has happened. It owns no socket and no clock. The twin of
`netrelay_proto::il`, output for output.
"""

from netrelay.reference.il.endpoint import Il

__all__ = ["Il"]
