"""How the command takes arguments, and how a wrong one is answered: by one sentence."""

import argparse
import contextlib


class Parser(argparse.ArgumentParser):
    """A wrong argument is answered by one sentence, not by a wall of usage; no option may be cut short."""

    def __init__(self, **settings):
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions as they are written, one column wide enough for the longest option."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=28)


class BadArgument(Exception):
    """What the user asked for cannot be had. The message is one sentence."""


@contextlib.contextmanager
def one_sentence():
    """Within this block a ValueError or TypeError is about what the user asked for; elsewhere it is a fault of ours."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise BadArgument(error) from error


def checked(check, name, kind, **bounds):
    """An argparse type that converts with ``kind`` and checks with a function of ``ganedu.arguments``."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = text  # the check below says what is wanted
        try:
            return check(name, value, **bounds)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name}: ")) from error

    return convert
