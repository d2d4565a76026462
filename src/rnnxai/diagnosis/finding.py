"""What a look at one thing has found."""

from typing import Literal, NamedTuple

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One line of the doctor's.

    Attributes
    ----------
    subject : str
        What was looked at.
    state : {"ok", "note", "wrong"}
        note: worth knowing, but nothing is prevented by it.
    found : str
    advice : str
        What to do, where something is wrong.
    """

    subject: str
    state: State
    found: str
    advice: str = ""
