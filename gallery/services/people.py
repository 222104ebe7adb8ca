"""What people do who sign in, and those who give them accounts."""

from __future__ import annotations

from dataclasses import dataclass

from gallery.domain.session_ports import IdentityProvider
from gallery.services.account_administration import AccountAdministrationService
from gallery.services.passwords import PasswordService
from gallery.services.sessions import SessionService
from gallery.services.signing_in import SigningIn


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Their use cases. Without a provider nobody signs in on the pages of another service."""

    signing_in: SigningIn
    sessions: SessionService
    passwords: PasswordService
    administration: AccountAdministrationService
    provider: IdentityProvider | None = None
