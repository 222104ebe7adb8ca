"""Rows as PostgreSQL keeps them. Their fields are those of the entities; what rows have beyond is said here.

Rows declare no relationships: readers fetch across tables for many parents at once. The migrations make the tables; a
test shows that the two agree.
"""

# Annotations stay evaluated: SQLModel reads them when it makes the classes.
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SORTABLE_TEXT = Text(collation="C")
"""Text in the order of its code points: the same on every machine, now and after an upgrade of its C library."""

_TIMESTAMP = DateTime(timezone=True)
_LIVING = text("deleted_at IS NULL")
_LIVING_SHOWN = text("deleted_at IS NULL AND visibility <> 'PRIVATE'")
_VISIBILITIES: Final = "visibility IN ('PRIVATE', 'UNLISTED', 'PUBLIC')"
UPLOADS_STREAMING: Final = text("transport = 'STREAMED' AND state = 'OPEN'")
UPLOADS_STAGED: Final = text("transport = 'STAGED'")
UPLOADS_STAGED_OPEN: Final = text("transport = 'STAGED' AND state = 'OPEN'")
"""Written as the indexes for them are: PostgreSQL does not use one whose condition comes as a parameter."""

IMAGE_CHARACTERS: Final = text("string_to_array(lower((title || ' ') || original_filename), NULL)")
"""Each character of an image's names, for text that is too short for trigrams.

Its index holds deleted images too: PostgreSQL does not use what it knows of an expression if it is of some rows only.
"""

_AT_ONCE: Final = {"fastupdate": "off"}
"""New rows enter a GIN index at once, for 0.2 ms each: while a list of them waits, PostgreSQL avoids the index."""


class _Row(SQLModel):
    metadata: ClassVar[MetaData] = metadata


def _id_column(*, references: str | None = None, primary_key: bool = False) -> "Column[UUID]":
    foreign_keys = [ForeignKey(references, ondelete="CASCADE")] if references else []
    return Column(Uuid, *foreign_keys, primary_key=primary_key, nullable=False)


def _optional_reference(column: str) -> "Column[UUID | None]":
    return Column(Uuid, ForeignKey(column, ondelete="CASCADE"), nullable=True)


def _sort_title_column() -> "Column[str]":
    return Column(SORTABLE_TEXT, Computed("lower(title)", persisted=True), nullable=False)


def _visibility_column() -> "Column[str]":
    return Column(Text, server_default=text("'PRIVATE'"), nullable=False)


def _path_index(table: str, *, where: TextClause | None = None) -> Index:
    """Finds the row of an object. A hash index: paths are long, and only ever compared as a whole."""
    return Index(f"ix_{table}_storage_path", "storage_path", postgresql_using="hash", postgresql_where=where)


class ImageRow(_Row, table=True):
    """An image. A deleted one stays as a row, which no index for the living holds and no reader shows."""

    __tablename__ = "images"
    __table_args__ = (
        CheckConstraint("processing IN ('PENDING', 'READY', 'FAILED')", name="processing"),
        CheckConstraint(_VISIBILITIES, name="visibility"),
        Index("ix_images_owner_checksum", "owner", "checksum", postgresql_where=_LIVING),
        Index(
            "uq_images_owner_checksum",
            "owner",
            "checksum",
            unique=True,
            postgresql_where=text("deleted_at IS NULL AND NOT is_copy"),
        ),
        _path_index("images", where=_LIVING),
        Index("ix_images_uploaded_at_id", "uploaded_at", "id", postgresql_where=_LIVING),
        Index(
            "ix_images_shown_uploaded_at_id",
            "uploaded_at",
            "id",
            postgresql_include=["visibility"],
            postgresql_where=_LIVING_SHOWN,
        ),
        Index("ix_images_owner_uploaded_at_id", "owner", "uploaded_at", "id", postgresql_where=_LIVING),
        Index("ix_images_sort_title_id", "sort_title", "id", postgresql_where=_LIVING),
        Index("ix_images_file_size_bytes_id", "file_size_bytes", "id", postgresql_where=_LIVING),
        Index(
            "ix_images_content_type_uploaded_at_id",
            "content_type",
            "uploaded_at",
            "id",
            postgresql_include=["file_size_bytes"],
            postgresql_where=_LIVING,
        ),
        Index(
            "ix_images_uploaded_at_id_names",
            "uploaded_at",
            "id",
            postgresql_include=["title", "original_filename"],
            postgresql_where=_LIVING,
        ),
        Index(
            "ix_images_text",
            "title",
            "original_filename",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops", "original_filename": "gin_trgm_ops"},
            postgresql_where=_LIVING,
            postgresql_with=_AT_ONCE,
        ),
        Index("ix_images_characters", IMAGE_CHARACTERS, postgresql_using="gin", postgresql_with=_AT_ONCE),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    owner: UUID = Field(sa_column=_id_column())
    filename: str = Field(sa_type=Text)
    original_filename: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    file_size_bytes: int = Field(sa_type=BigInteger)
    storage_path: str = Field(sa_type=Text)
    checksum: str = Field(sa_type=Text)
    width_px: int = Field(sa_type=Integer)
    height_px: int = Field(sa_type=Integer)
    title: str = Field(sa_type=Text)
    sort_title: str | None = Field(default=None, sa_column=_sort_title_column())
    """The title as lists sort it; made by PostgreSQL."""
    description: str | None = Field(default=None, sa_type=Text)
    processing: str = Field(sa_type=Text)
    processing_error: str | None = Field(default=None, sa_type=Text)
    uploaded_at: datetime = Field(sa_type=_TIMESTAMP)
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    updated_at: datetime = Field(sa_type=_TIMESTAMP)
    deleted_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    version: int = Field(sa_type=Integer)
    is_copy: bool = Field(sa_column=Column(Boolean, server_default=text("false"), nullable=False))
    visibility: str = Field(sa_column=_visibility_column())


class RenditionRow(_Row, table=True):
    """A rendition of an image."""

    __tablename__ = "renditions"
    __table_args__ = (_path_index("renditions"),)

    image_id: UUID = Field(sa_column=_id_column(references="images.id", primary_key=True))
    size: str = Field(sa_type=Text, primary_key=True)
    content_type: str = Field(sa_type=Text)
    width_px: int = Field(sa_type=Integer)
    height_px: int = Field(sa_type=Integer)
    file_size_bytes: int = Field(sa_type=BigInteger)
    checksum: str = Field(sa_type=Text)
    storage_path: str = Field(sa_type=Text)


class TagRow(_Row, table=True):
    """A tag."""

    __tablename__ = "tags"
    __table_args__ = (
        UniqueConstraint("key"),
        Index(
            "ix_tags_text",
            "key",
            postgresql_using="gin",
            postgresql_ops={"key": "gin_trgm_ops"},
            postgresql_with=_AT_ONCE,
        ),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    owner: UUID = Field(sa_column=_id_column())
    name: str = Field(sa_type=Text)
    key: str = Field(sa_type=SORTABLE_TEXT)
    """`tag_key(name)`: what makes the name unique, sorts it and is searched."""
    created_at: datetime = Field(sa_type=_TIMESTAMP)


class ImageTagRow(_Row, table=True):
    """An image has a tag. Deleted images have none."""

    __tablename__ = "image_tags"
    __table_args__ = (Index("ix_image_tags_tag_id_uploaded_at_image_id", "tag_id", "uploaded_at", "image_id"),)

    image_id: UUID = Field(sa_column=_id_column(references="images.id", primary_key=True))
    tag_id: UUID = Field(sa_column=_id_column(references="tags.id", primary_key=True))
    uploaded_at: datetime = Field(sa_type=_TIMESTAMP)
    """That of the image, which never changes: a page of a tag's newest images is one range of the index."""


class AlbumRow(_Row, table=True):
    """An album."""

    __tablename__ = "albums"
    __table_args__ = (
        CheckConstraint(_VISIBILITIES, name="visibility"),
        Index("ix_albums_owner_id", "owner", "id"),
        Index("ix_albums_sort_title_id", "sort_title", "id"),
        Index("ix_albums_created_at_id", "created_at", "id"),
        Index("ix_albums_updated_at_id", "updated_at", "id"),
        Index("ix_albums_cover_id", "cover_id", postgresql_where=text("cover_id IS NOT NULL")),
        Index(
            "ix_albums_text",
            "title",
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
            postgresql_with=_AT_ONCE,
        ),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    owner: UUID = Field(sa_column=_id_column())
    title: str = Field(sa_type=Text)
    sort_title: str | None = Field(default=None, sa_column=_sort_title_column())
    """The title as lists sort it; made by PostgreSQL."""
    description: str | None = Field(default=None, sa_type=Text)
    cover_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("images.id", ondelete="SET NULL"), nullable=True)
    )
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    updated_at: datetime = Field(sa_type=_TIMESTAMP)
    version: int = Field(sa_type=Integer)
    visibility: str = Field(sa_column=_visibility_column())


class AlbumImageRow(_Row, table=True):
    """An album holds an image, at a place of its own. Places have gaps where images were taken out."""

    __tablename__ = "album_images"
    __table_args__ = (
        UniqueConstraint("album_id", "position"),
        Index("ix_album_images_image_id", "image_id"),
        Index("ix_album_images_album_id_uploaded_at_image_id", "album_id", "uploaded_at", "image_id"),
    )

    album_id: UUID = Field(sa_column=_id_column(references="albums.id", primary_key=True))
    image_id: UUID = Field(sa_column=_id_column(references="images.id", primary_key=True))
    position: int = Field(sa_type=BigInteger)
    added_at: datetime = Field(sa_column=Column(_TIMESTAMP, server_default=text("now()"), nullable=False))
    uploaded_at: datetime = Field(sa_type=_TIMESTAMP)
    """That of the image, as in `ImageTagRow`."""
    is_offered: bool = Field(sa_column=Column(Boolean, server_default=text("false"), nullable=False))
    """Whether those with whom the album is shared see the image, however private: its owner put it there, or has the
    album."""


class AlbumShareRow(_Row, table=True):
    """An album is shared with an account."""

    __tablename__ = "album_shares"
    __table_args__ = (
        CheckConstraint("level IN ('VIEW', 'CONTRIBUTE')", name="level"),
        Index("ix_album_shares_account_id", "account_id"),
    )

    album_id: UUID = Field(sa_column=_id_column(references="albums.id", primary_key=True))
    account_id: UUID = Field(sa_column=_id_column(references="accounts.id", primary_key=True))
    level: str = Field(sa_type=Text)
    shared_by: UUID = Field(sa_column=_id_column())
    shared_at: datetime = Field(sa_type=_TIMESTAMP)


class EventRow(_Row, table=True):
    """An event, numbered in the order of recording. Rows are only ever added."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("id"), Index("ix_events_entity_id_sequence", "entity_id", "sequence"))

    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    id: UUID = Field(sa_column=_id_column())
    entity: str = Field(sa_type=Text)
    """`EntityKind` of what it happened to."""
    entity_id: UUID = Field(sa_column=_id_column())
    kind: str = Field(sa_type=Text)
    actor: UUID = Field(sa_column=_id_column())
    occurred_at: datetime = Field(sa_type=_TIMESTAMP)
    payload: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    previous_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    """`hash` of the event before this one that happened to the same entity, None for the first."""
    hash: bytes = Field(sa_type=LargeBinary)
    """SHA-256 over everything above but the sequence; see `event_chain.py`."""


class UploadRow(_Row, table=True):
    """An upload under way. It refers to no image: there is none before it ends.

    One with a refusal has the state COMPLETED: releases that know no refusals take it for what it is, an upload that is
    over.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("transport IN ('STREAMED', 'STAGED')", name="transport"),
        CheckConstraint("state IN ('OPEN', 'COMPLETED')", name="state"),
        Index("ix_uploads_touched_at", "touched_at", postgresql_where=UPLOADS_STREAMING),
        Index("ix_uploads_expires_at", "expires_at", postgresql_where=UPLOADS_STAGED),
        Index("ix_uploads_owner", "owner", postgresql_where=UPLOADS_STAGED_OPEN),
        _path_index("uploads"),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    owner: UUID = Field(sa_column=_id_column())
    transport: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    image_id: UUID = Field(sa_column=_id_column())
    storage_path: str = Field(sa_type=Text)
    draft: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    announced: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))
    multipart_id: str | None = Field(default=None, sa_type=Text)
    part_size_bytes: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    touched_at: datetime = Field(sa_type=_TIMESTAMP)
    expires_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    refusal: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


class ClaimRow(_Row, table=True):
    """An idempotency key in use."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_holder", "holder"),
        Index("ix_idempotency_keys_expires_at", "expires_at"),
    )

    owner: UUID = Field(sa_column=_id_column(primary_key=True))
    key: str = Field(sa_type=Text, primary_key=True)
    operation: str = Field(sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    holder: UUID = Field(sa_column=_id_column())
    touched_at: datetime = Field(sa_type=_TIMESTAMP)
    expires_at: datetime = Field(sa_type=_TIMESTAMP)
    result_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    outcome: str | None = Field(default=None, sa_type=Text)
    file_checksum: str | None = Field(default=None, sa_type=Text)
    snapshot: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


class AnswerRow(_Row, table=True):
    """The answer that was sent to a request with an idempotency key."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (
        ForeignKeyConstraint(["owner", "key"], ["idempotency_keys.owner", "idempotency_keys.key"], ondelete="CASCADE"),
    )

    owner: UUID = Field(sa_column=_id_column(primary_key=True))
    key: str = Field(sa_type=Text, primary_key=True)
    request: str = Field(sa_type=Text, primary_key=True)
    """SHA-256 of what shapes the answer beside the input."""
    body: bytes = Field(sa_type=LargeBinary)


class StorageReportRow(_Row, table=True):
    """The last report of the storage of each depth."""

    __tablename__ = "storage_reports"

    depth: str = Field(sa_type=Text, primary_key=True)
    checked_at: datetime = Field(sa_type=_TIMESTAMP)
    duration_seconds: float = Field(sa_type=Double)
    objects: int = Field(sa_type=BigInteger)
    objects_bytes: int = Field(sa_type=BigInteger)
    counts: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))


class AccountRow(_Row, table=True):
    """An account."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'program')", name="kind"),
        UniqueConstraint("key"),
        UniqueConstraint("issuer", "subject"),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    name: str = Field(sa_type=Text)
    key: str = Field(sa_type=SORTABLE_TEXT)
    """`account_key(name)`: what makes the name unique."""
    kind: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    disabled_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    issuer: str | None = Field(default=None, sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)


class TokenRow(_Row, table=True):
    """An API token. Its secret is nowhere."""

    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("prefix"), Index("ix_api_tokens_account_id", "account_id"))

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    account_id: UUID = Field(sa_column=_id_column(references="accounts.id"))
    name: str = Field(sa_type=Text)
    prefix: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    role: str = Field(sa_type=Text)
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    expires_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    revoked_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    last_used_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)


class PasswordRow(_Row, table=True):
    """The hash of an account's password, apart from the account: few have to do with it."""

    __tablename__ = "passwords"

    account_id: UUID = Field(sa_column=_id_column(references="accounts.id", primary_key=True))
    hash: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_type=_TIMESTAMP)


class SessionRow(_Row, table=True):
    """A session that goes on. Its secret is nowhere."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("digest"),
        Index("ix_sessions_account_id", "account_id"),
        Index("ix_sessions_expires_at", "expires_at"),
        Index("ix_sessions_last_used_at", "last_used_at"),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    account_id: UUID = Field(sa_column=_id_column(references="accounts.id"))
    digest: bytes = Field(sa_type=LargeBinary)
    way: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    expires_at: datetime = Field(sa_type=_TIMESTAMP)
    last_used_at: datetime = Field(sa_type=_TIMESTAMP)


class ShareLinkRow(_Row, table=True):
    """A share link. Its token is nowhere."""

    __tablename__ = "share_links"
    __table_args__ = (
        UniqueConstraint("digest"),
        CheckConstraint("num_nonnulls(album_id, image_id) = 1", name="target"),
        Index("ix_share_links_album_id", "album_id"),
        Index("ix_share_links_image_id", "image_id"),
        Index("ix_share_links_made_by", "made_by"),
    )

    id: UUID = Field(sa_column=_id_column(primary_key=True))
    digest: bytes = Field(sa_type=LargeBinary)
    secret: bytes = Field(sa_type=LargeBinary)
    album_id: UUID | None = Field(default=None, sa_column=_optional_reference("albums.id"))
    image_id: UUID | None = Field(default=None, sa_column=_optional_reference("images.id"))
    made_by: UUID = Field(sa_column=_id_column(references="accounts.id"))
    label: str | None = Field(default=None, sa_type=Text)
    allows_download: bool = Field(sa_type=Boolean)
    shows_metadata: bool = Field(sa_type=Boolean)
    password_hash: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=_TIMESTAMP)
    expires_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    revoked_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    open_count: int = Field(sa_type=BigInteger)
    last_opened_at: datetime | None = Field(default=None, sa_type=_TIMESTAMP)
    guesses: int = Field(default=0, sa_column=Column(Integer, server_default=text("0"), nullable=False))
    """How many wrong passwords were given since `guesses_since`, and right ones that are being looked at."""
    guesses_since: datetime | None = Field(default=None, sa_type=_TIMESTAMP)


IMAGES: Final[Table] = metadata.tables["images"]
RENDITIONS: Final[Table] = metadata.tables["renditions"]
TAGS: Final[Table] = metadata.tables["tags"]
IMAGE_TAGS: Final[Table] = metadata.tables["image_tags"]
ALBUMS: Final[Table] = metadata.tables["albums"]
ALBUM_IMAGES: Final[Table] = metadata.tables["album_images"]
ALBUM_SHARES: Final[Table] = metadata.tables["album_shares"]
EVENTS: Final[Table] = metadata.tables["events"]
UPLOADS: Final[Table] = metadata.tables["uploads"]
CLAIMS: Final[Table] = metadata.tables["idempotency_keys"]
ANSWERS: Final[Table] = metadata.tables["idempotent_answers"]
STORAGE_REPORTS: Final[Table] = metadata.tables["storage_reports"]
ACCOUNTS: Final[Table] = metadata.tables["accounts"]
TOKENS: Final[Table] = metadata.tables["api_tokens"]
PASSWORDS: Final[Table] = metadata.tables["passwords"]
SESSIONS: Final[Table] = metadata.tables["sessions"]
SHARE_LINKS: Final[Table] = metadata.tables["share_links"]
