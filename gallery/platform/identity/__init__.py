"""The identity provider behind its port: whom its signed tokens vouch for."""

from gallery.platform.identity.code_flow import CodeFlow
from gallery.platform.identity.keys import SigningKeys
from gallery.platform.identity.verifier import JwtVerifier

__all__ = ["CodeFlow", "JwtVerifier", "SigningKeys"]
