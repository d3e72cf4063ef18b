"""The Lua scripts: what Redis does in one step, so that nobody sees half of it."""

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the digest that Redis knows it by once it was loaded."""

    text: str
    digest: str

    @classmethod
    def read(cls, *names: str) -> "Script":
        """The script made of these files of the folder `lua`, one after the other."""
        text = "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


CLAIM = Script.read("claim")
WRITE = Script.read("write")
FINISH = Script.read("removal", "finish")
SWEEP = Script.read("removal", "sweep")
READ = Script.read("read")

SCRIPTS = (CLAIM, WRITE, FINISH, SWEEP, READ)
