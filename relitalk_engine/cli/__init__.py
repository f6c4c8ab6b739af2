"""The command line, a contract that scripts rely on."""

from .main import main

__all__ = ["main"]
