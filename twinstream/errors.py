"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """A failure that a user can cause and mend.

    `str(error)` is one line that says what is wrong and what to do about it. Every command catches it,
    prints `error: <line>` to standard error and exits with code 2; no traceback is shown.
    """
