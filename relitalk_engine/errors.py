"""Errors that are sentences to the person who can mend them. Standard library only."""

from __future__ import annotations

INPUT = 2
CANCELLED = 3
MACHINE = 4
BUG = 1


class ReliTalkError(Exception):
    """Something the user can mend: the input, the call or the machine.

    Args:
        code: a short slug such as "no_face", stable for scripts.
        message: what was wrong and where, as a sentence.
        hint: what to do about it, as a sentence; empty where there is nothing to advise.
        exit_code: 2 the input or the call is wrong, 4 this machine lacks something.
    """

    def __init__(self, code: str, message: str, hint: str = "", exit_code: int = INPUT) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class MissingPart(ReliTalkError):
    """This machine lacks something: a package, a device, a weight file."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint, MACHINE)


class Cancelled(Exception):
    """The user asked to stop. What stands on disk is whole and can be resumed."""
