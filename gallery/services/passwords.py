"""Passwords, as their owners change them."""

from __future__ import annotations

from gallery.domain.access import Right, Viewer, require
from gallery.domain.errors import ErrorCode, GalleryError, InvalidInputError
from gallery.domain.password_ports import PasswordHasher
from gallery.domain.passwords import clean_password, is_possible_password, normal_password
from gallery.domain.ports import Clock, UnitOfWorkFactory
from gallery.services.account_administration import record_new_password
from gallery.services.attempts import Attempts
from gallery.services.clock import utc_now


class PasswordService:
    """Use cases of one's own password."""

    def __init__(
        self,
        unit_of_work: UnitOfWorkFactory,
        hasher: PasswordHasher,
        attempts: Attempts,
        clock: Clock = utc_now,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._hasher = hasher
        self._attempts = attempts
        self._clock = clock

    async def change(self, viewer: Viewer, old: str, new: str) -> None:
        """Changes the viewer's password, and ends all their sessions but the one in which they ask.

        Raises:
            InvalidInputError: INVALID_PASSWORD if the old one is wrong or there is none, or the new one breaks a rule.
            TooManyAttemptsError: if the old one was wrong too often.
            UnavailableError: if the database does not answer, or too many others wait for the same.
        """
        require(viewer, Right.READ)
        chosen = clean_password(new, field=("new",))
        async with self._unit_of_work() as work:
            known = await work.passwords.find(viewer.id)
        await self._check(viewer, known, old)
        new_hash = await self._hasher.hash(chosen)
        async with self._unit_of_work() as work:
            await work.accounts.get(viewer.id)
            if await work.passwords.find(viewer.id) != known:
                raise _wrong()
            await work.passwords.put(viewer.id, new_hash, self._clock())
            await work.sessions.delete_of(viewer.id, but=viewer.session_id)
            await record_new_password(work, viewer, viewer.id, self._clock)
            await work.commit()

    async def _check(self, viewer: Viewer, known: str | None, old: str) -> None:
        """Passes if the old password is right. Wrong ones count for the account alone, wherever they come from."""
        async with self._attempts.attempt(f"own {viewer.id.hex}", "") as attempt:
            try:
                given = normal_password(old) if is_possible_password(old) else None
                is_right = await self._hasher.is_of(None if given is None else known, given or "")
            except GalleryError:
                attempt.void()
                raise
            if not is_right:
                raise _wrong()
            attempt.right()


def _wrong() -> InvalidInputError:
    return InvalidInputError(ErrorCode.INVALID_PASSWORD, "The old password is wrong.", field=("old",))
