# SPDX-License-Identifier: Apache-2.0
"""Which methods of compression there are, as the command line lists them.

The server does not load what compresses, so it asks the program once, in a sandbox like everything
else that it runs, and remembers the answer.
"""

# Annotations are read at run time here, so they are not postponed.
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from api.database.connection import UnavailableError
from api.jobs.attempt import InspectionError, inspect
from api.jobs.room import LocalRooms, Room
from api.settings import MIB, Settings

WORDS = ("compress", "--list", "--format", "json")
MOST_FILE_BYTES = 16 * MIB


class Option(BaseModel):
    """An option of a method."""

    model_config = ConfigDict(frozen=True)

    name: str
    summary: str
    expects: str
    default: str

    @property
    def choices(self) -> Sequence[str]:
        """The values that there are, where they can be listed."""
        found = self.expects.removeprefix("one of ")
        return () if found == self.expects else tuple(found.split(", "))

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ")


class Method(BaseModel):
    """A method of compression."""

    model_config = ConfigDict(frozen=True)

    name: str
    summary: str
    options: tuple[Option, ...]

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ")


class _Listed(BaseModel):
    methods: tuple[Method, ...]


class Methods:
    """The methods, asked for when they are first needed.

    Args:
        settings: Where to work, and how much memory it may take.
        ask: Runs a command of the program confined.
    """

    def __init__(
        self,
        settings: Settings,
        ask: Callable[[Room, Sequence[str]], Mapping[str, Any]] = inspect,
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._asking = threading.Lock()
        self._known: tuple[Method, ...] | None = None

    def known(self) -> tuple[Method, ...]:
        """Return the methods.

        Raises:
            UnavailableError: The program did not tell.
        """
        with self._asking:
            if self._known is None:
                self._known = self._find()
            return self._known

    def _find(self) -> tuple[Method, ...]:
        try:
            with LocalRooms(self._settings, MOST_FILE_BYTES).open_aside("inspect") as room:
                return _Listed.model_validate(self._ask(room, WORDS)).methods
        except (InspectionError, ValidationError) as error:
            msg = f"the methods of compression could not be listed: {error}"
            raise UnavailableError(msg) from error
