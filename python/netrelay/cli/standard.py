"""Standard input and output: bytes, at once, and what there is to say when they fail.

A reader that has gone (`| head -1`) is an end like any other and needs no words. A descriptor that
whoever started us has closed is held shut: no socket of ours may take its number, and
using it is an error and no silence.
"""

from __future__ import annotations

import os
import sys

from netrelay.cli.errors import Failure
from netrelay.hosts import words

STDIN, STDOUT, STDERR = 0, 1, 2
PIECE = 64 << 10


class Unread(Failure):
    """Nobody reads what we print: the end, without a word."""

    def show(self, file: object = None) -> None:
        """Say nothing."""
        del file


def hold() -> None:
    """Put something in the place of each standard descriptor that is closed."""
    closed = [number for number in (STDIN, STDOUT, STDERR) if not _is_open(number)]
    for number in closed:
        # The lowest free number is taken; opened the wrong way round, using it fails.
        os.open(os.devnull, os.O_WRONLY if number != STDOUT else os.O_RDONLY)
    # What the interpreter has left out, as it found nothing there.
    if STDOUT in closed:
        sys.stdout = os.fdopen(STDOUT, "w", closefd=False)
    if STDERR in closed:
        sys.stderr = os.fdopen(STDERR, "w", closefd=False)


def put(data: bytes) -> None:
    """Write to standard output, all of it now. Errors: `Failure`."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        end()
        raise Unread("") from None
    except OSError as error:
        end()
        raise Failure(f"can't write standard output: {words(error)}") from None


def put_line(text: str) -> None:
    """Write a line to standard output. Errors: `Failure`."""
    put(f"{text}\n".encode(errors="surrogateescape"))


def end() -> None:
    """Close standard output: who reads it learns that this is all."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)


def take() -> bytes:
    """Some bytes of standard input, none at its end. Blocks. Errors: `Failure`."""
    try:
        return os.read(STDIN, PIECE)
    except OSError as error:
        raise Failure(f"can't read standard input: {words(error)}") from None


def take_all() -> bytes:
    """All of standard input. Blocks. Errors: `Failure`."""
    return b"".join(iter(take, b""))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
