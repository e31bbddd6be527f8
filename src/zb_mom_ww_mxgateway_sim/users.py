"""The users of a galaxy: who may log in, and under which ids they write."""

from __future__ import annotations

import hmac
from typing import Final
from uuid import UUID

from .galaxy.definition import GalaxyDefinition

#: The one user of a galaxy without security.
OPEN_GALAXY_USER: Final = 1


class Users:
    """Logs users in. In an open galaxy every credential is the same user, and no password is
    looked at.
    """

    def __init__(self, definition: GalaxyDefinition) -> None:
        self.is_secured = definition.is_secured
        self._by_name = {user.name.casefold(): user for user in definition.users}
        self._by_guid = {UUID(user.guid): user for user in definition.users if user.guid}

    def log_in(self, name: str, password: str) -> int | None:
        """The id of a user, or None for a wrong name or password."""
        if not self.is_secured:
            return OPEN_GALAXY_USER
        user = self._by_name.get(name.casefold())
        # Compared for unknown names too, so that time does not tell which names exist.
        expected = user.password if user else ""
        same = hmac.compare_digest(expected.encode(), password.encode())
        return user.user_id if user is not None and same else None

    def by_guid(self, guid: str) -> int | None:
        """The id of the user with that GUID; None if there is none."""
        try:
            user = self._by_guid.get(UUID(guid))
        except ValueError:
            return None
        return user.user_id if user else None
