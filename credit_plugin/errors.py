"""The two ways in which work can end badly, and the exit code of each."""


class InputError(ValueError):
    """Something the user gave cannot be used: the command ends with exit code 2.

    The message is one line that names the field or file and says how to mend it.
    """


class StudyFailedError(RuntimeError):
    """A study could not be completed although its input was sound: exit code 1."""
