"""Puts the gallery together: the only place that names concrete classes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from gallery.domain.access import Visibility
from gallery.domain.budgets import Allowance, Budget
from gallery.domain.document_ports import DocumentStore
from gallery.domain.events import Event
from gallery.domain.images import RenditionSize
from gallery.domain.metrics import NO_METRICS, OtherProcesses, UploadMetrics
from gallery.domain.ports import AlbumReader, ImageReader, TagReader, UnitOfWorkFactory
from gallery.domain.processing_ports import ProcessedImages
from gallery.domain.records import Records, RecordsOf
from gallery.domain.upload_ports import ProgressBoard
from gallery.platform.budgets import LocalBudget
from gallery.platform.cache import Cache, CachedAlbumReader, CachedImageReader, CachedResponses, CachedTagReader
from gallery.platform.cache import connect as connect_cache
from gallery.platform.cache.budgets import ValkeyBudget
from gallery.platform.cache.counters import ValkeyCounters
from gallery.platform.cache.documents import ValkeyDocumentStore
from gallery.platform.cache.processed import connect_processed_images
from gallery.platform.cache.progress import connect_progress
from gallery.platform.counters import LocalCounters
from gallery.platform.database.accounts import SqlAccountReader
from gallery.platform.database.albums import SqlAlbumReader
from gallery.platform.database.claims import SqlAnswerStore
from gallery.platform.database.engine import create_engine, pool_use
from gallery.platform.database.images import SqlImageReader
from gallery.platform.database.intents import SqlIntentStore
from gallery.platform.database.linked_images import SqlLinkedImageReader
from gallery.platform.database.migrate import NotMigratedError, is_current
from gallery.platform.database.named_objects import SqlNamedObjects
from gallery.platform.database.selecting import SelectingRecords
from gallery.platform.database.sessions import SqlSessionReader
from gallery.platform.database.share_links import SqlShareLinkReader
from gallery.platform.database.storage_reports import SqlLastReports
from gallery.platform.database.tags import SqlTagReader
from gallery.platform.database.unit_of_work import sql_units_of_work
from gallery.platform.documents import LocalDocumentStore
from gallery.platform.identity import CodeFlow, JwtVerifier, SigningKeys
from gallery.platform.imaging.inspect import VipsImageInspector
from gallery.platform.imaging.renditions import VipsImageRenderer
from gallery.platform.imaging.verify import DecodingLimits, VipsImageVerifier
from gallery.platform.jobs.counts import job_counts
from gallery.platform.jobs.held import PgHeldJobs
from gallery.platform.jobs.queue import PgJobQueue
from gallery.platform.jobs.worker import Worker
from gallery.platform.metrics import DatabaseFigures, DatabaseState, ProcessState, PrometheusMetrics, PrometheusPage
from gallery.platform.passwords import Argon2Hasher
from gallery.platform.storage.keys import ObjectPaths
from gallery.platform.storage.s3 import S3ObjectStorage, Storages, connect_storages
from gallery.services.abandoned_uploads import AbandonedUploads
from gallery.services.account_administration import AccountAdministrationService
from gallery.services.accounts import AccountService
from gallery.services.albums import AlbumService
from gallery.services.announcing import announcing
from gallery.services.attempts import Attempts
from gallery.services.authentication import Authenticator, forgetting_tokens
from gallery.services.background import BackgroundWork
from gallery.services.clock import utc_now
from gallery.services.heartbeat import Heartbeat
from gallery.services.idempotency import IdempotencyService, IdempotencyTiming
from gallery.services.images import ImageService
from gallery.services.intents import Intents
from gallery.services.key_quota import KeyQuota
from gallery.services.link_openings import LinkOpenings
from gallery.services.link_passwords import LinkPasswords
from gallery.services.passwords import PasswordService
from gallery.services.people import People
from gallery.services.recording import Recorder
from gallery.services.renditions import RenditionService
from gallery.services.session_directory import SessionDirectory, forgetting_sessions
from gallery.services.sessions import SessionService
from gallery.services.share_links import ShareLinkService
from gallery.services.shared_content import SharedContents
from gallery.services.shares import ShareService
from gallery.services.signing_in import SessionTerms, SigningIn
from gallery.services.staged_checks import StagedFileCheck
from gallery.services.staged_completion import StagedCompletion
from gallery.services.staged_uploads import StagedUploadService
from gallery.services.staging import StagingLimits
from gallery.services.storage_comparison import StorageComparison
from gallery.services.sweep import SweepService
from gallery.services.tags import TagService
from gallery.services.token_directory import TokenDirectory
from gallery.services.tokens import TokenService
from gallery.services.uploads import UploadLimits, UploadService
from gallery.services.vouching import Vouching
from gallery.settings import Settings
from gallery.settings_auth import AuthMode
from gallery.settings_limits import Throttling
from gallery.web.graphql.context import UseCases
from gallery.web.metrics import Counting

HEAD_BYTES = 64 * 1024
"""How much of a file is looked at before anything is stored: headers of all formats are in it, see imaging."""

HEARTBEAT_SECONDS = 5.0
"""How often a process says that its uploads and its work on idempotency keys go on."""


_Readers = tuple[ImageReader, TagReader, AlbumReader]


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One gallery, wired. `checks` say whether a dependency answers: they pass or raise. It may count nothing."""

    settings: Settings
    engine: AsyncEngine
    storage: S3ObjectStorage
    cache: Cache | None
    use_cases: UseCases
    worker: Worker
    checks: Mapping[str, Callable[[], Awaitable[None]]]
    counting: Counting | None
    documents: DocumentStore
    responses: CachedResponses | None
    budget: Budget | None


@asynccontextmanager
async def open_container(settings: Settings, others: OtherProcesses | None = None) -> AsyncIterator[Container]:
    """A gallery on the services of the settings; nothing is asked of them yet. There may be other processes."""
    engine = create_engine(database_url(settings), settings.database)
    probing = create_engine(database_url(settings), settings.database.model_copy(update={"pool_size": 1}))
    try:
        async with (
            connect_storages(settings.storage) as storages,
            _connected_cache(settings) as cache,
            _kept_responses(settings, cache) as responses,
            _budget(settings, cache) as budget,
            connect_progress(settings.cache) as progress,
            connect_processed_images(settings.cache) as processed,
        ):
            services = _Services(
                engine=engine,
                probing=probing,
                storages=storages,
                cache=cache,
                responses=responses,
                progress=progress,
                processed=processed,
                budget=budget,
            )
            yield _wire(settings, services, others)
    finally:
        await engine.dispose()
        await probing.dispose()


def database_url(settings: Settings) -> str:
    """The address of PostgreSQL.

    Raises:
        ValueError: if there is none: the embedded one is not started.
    """
    if settings.database.url is None:
        message = "GALLERY_DATABASE__URL is not set."
        raise ValueError(message)
    return settings.database.url.get_secret_value()


@asynccontextmanager
async def _connected_cache(settings: Settings) -> AsyncIterator[Cache | None]:
    if not settings.cache.enabled:
        yield None
        return
    async with connect_cache(settings.cache) as cache:
        yield cache


@asynccontextmanager
async def _kept_responses(settings: Settings, cache: Cache | None) -> AsyncIterator[CachedResponses | None]:
    if cache is None or not settings.cache.responses:
        yield None
        return
    responses = CachedResponses(cache, settings.cache)
    try:
        yield responses
    finally:
        await responses.settle()


@asynccontextmanager
async def _budget(settings: Settings, cache: Cache | None) -> AsyncIterator[Budget | None]:
    limits = settings.graphql
    is_open = settings.auth.mode.is_open
    if limits.throttling is Throttling.OFF or (limits.throttling is Throttling.AUTO and is_open):
        yield None
        return
    allowance = Allowance(points=limits.cost_bucket, points_per_second=limits.cost_refill_per_second)
    if cache is None:
        yield LocalBudget(allowance)
        return
    budget = ValkeyBudget(cache, allowance)
    try:
        yield budget
    finally:
        await budget.settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Services:
    """What the gallery is connected to. Who is `probing` never waits for those who use the `engine`."""

    engine: AsyncEngine
    probing: AsyncEngine
    storages: Storages
    cache: Cache | None
    responses: CachedResponses | None
    progress: ProgressBoard
    processed: ProcessedImages
    budget: Budget | None


def _wire(settings: Settings, services: _Services, others: OtherProcesses | None) -> Container:
    engine, storages, cache = services.engine, services.storages, services.cache
    directory, sessions = TokenDirectory(SqlAccountReader(engine)), SessionDirectory(SqlSessionReader(engine))
    on_commit = forgetting_tokens(
        directory,
        forgetting_sessions(sessions, announcing(services.processed, _tell_nobody if cache is None else cache.drop)),
    )
    units_of_work = sql_units_of_work(engine, jobs=PgJobQueue, on_commit=on_commit)
    renditions = RenditionService(
        unit_of_work=units_of_work, storage=storages.objects, paths=ObjectPaths(), renderer=_renderer(settings)
    )
    sweep = _sweep(engine, units_of_work, storages)
    background = BackgroundWork(
        renditions,
        sweep,
        grace=timedelta(seconds=settings.uploads.sweep_grace_seconds),
        repair=settings.uploads.sweep_repair,
    )
    checks: dict[str, Callable[[], Awaitable[None]]] = {
        "database": lambda: _check_database(services.probing),
        "storage": storages.objects.ping,
    }
    if cache is not None:
        checks["cache"] = cache.ping
    metrics = PrometheusMetrics() if settings.metrics.enabled else None
    return Container(
        settings=settings,
        engine=engine,
        storage=storages.objects,
        cache=cache,
        use_cases=_use_cases(
            settings,
            services,
            units_of_work,
            sweep,
            _authenticator(settings, directory, sessions, units_of_work),
            metrics or NO_METRICS,
        ),
        worker=Worker(database_url=database_url(settings), work=background, settings=settings.worker),
        checks=checks,
        counting=None if metrics is None else Counting(metrics=metrics, page=_metrics_page(metrics, services, others)),
        documents=LocalDocumentStore() if cache is None else ValkeyDocumentStore(cache),
        responses=services.responses,
        budget=services.budget,
    )


async def _check_database(engine: AsyncEngine) -> None:
    """Passes if the database answers and is as new as the code."""
    if not await is_current(engine):
        raise NotMigratedError


def _readers(engine: AsyncEngine, cache: Cache | None) -> _Readers:
    images, tags, albums = SqlImageReader(engine), SqlTagReader(engine), SqlAlbumReader(engine)
    if cache is None:
        return images, tags, albums
    return CachedImageReader(images, cache), CachedTagReader(tags, cache), CachedAlbumReader(albums, cache)


def _records(
    engine: AsyncEngine, readers: tuple[ImageReader, TagReader, AlbumReader], cache: Cache | None
) -> RecordsOf:
    """Without a cache no more is read than somebody looks at; a cache keeps things whole."""
    images, tags, albums = readers
    whole = Records(images=images, tags=tags, albums=albums)
    selecting = SelectingRecords(engine)
    return lambda fields: whole if fields is None or cache is not None else selecting(fields)


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Without a cache nothing goes stale."""


def _use_cases(
    settings: Settings,
    services: _Services,
    units_of_work: UnitOfWorkFactory,
    sweep: SweepService,
    authenticator: Authenticator,
    metrics: UploadMetrics,
) -> UseCases:
    storages = services.storages
    images, tags, albums = readers = _readers(services.engine, services.cache)
    heartbeat = Heartbeat(units_of_work, interval_seconds=HEARTBEAT_SECONDS)
    default_visibility = Visibility[settings.access.default_visibility.name]
    recorder = Recorder(units_of_work, default_visibility=default_visibility)
    inspector = VipsImageInspector(max_pixels=settings.uploads.max_pixels)
    verifier = _verifier(settings)
    links, hasher = SqlShareLinkReader(services.engine), Argon2Hasher()
    return UseCases(
        records=_records(services.engine, readers, services.cache),
        image_reader=images,
        tag_reader=tags,
        album_reader=albums,
        images=ImageService(units_of_work),
        tags=TagService(units_of_work),
        albums=AlbumService(units_of_work, default_visibility=default_visibility),
        shares=ShareService(units_of_work),
        uploads=UploadService(
            unit_of_work=units_of_work,
            storage=storages.objects,
            inspector=inspector,
            verifier=verifier,
            intents=Intents(units_of_work, SqlIntentStore(services.engine), paths=ObjectPaths(), heartbeat=heartbeat),
            recorder=recorder,
            limits=UploadLimits(max_file_size_bytes=settings.uploads.max_file_size, head_bytes=HEAD_BYTES),
            metrics=metrics,
        ),
        staged_uploads=StagedUploadService(
            unit_of_work=units_of_work,
            staging=storages.staging,
            paths=ObjectPaths(),
            completion=StagedCompletion(
                unit_of_work=units_of_work,
                staging=storages.staging,
                check=StagedFileCheck(
                    storage=storages.objects,
                    inspector=inspector,
                    verifier=verifier,
                    head_bytes=HEAD_BYTES,
                ),
                recorder=recorder,
                metrics=metrics,
            ),
            limits=_staging_limits(settings),
        ),
        idempotency=IdempotencyService(
            units_of_work,
            heartbeat=heartbeat,
            timing=_timing(settings),
            quota=KeyQuota(settings.idempotency.max_keys),
        ),
        answers=SqlAnswerStore(services.engine),
        progress=services.progress,
        processed=services.processed,
        sweep=sweep,
        sweep_grace=timedelta(seconds=settings.uploads.sweep_grace_seconds),
        accounts=AccountService(SqlAccountReader(services.engine)),
        tokens=TokenService(units_of_work, SqlAccountReader(services.engine)),
        authenticator=authenticator,
        people=_people(settings, services, units_of_work, hasher),
        share_links=ShareLinkService(units_of_work, links, hasher),
        shared=SharedContents(
            links,
            images,
            albums,
            SqlLinkedImageReader(services.engine),
            passwords=LinkPasswords(units_of_work, hasher),
            openings=LinkOpenings(units_of_work),
        ),
    )


def _authenticator(
    settings: Settings, directory: TokenDirectory, sessions: SessionDirectory, units_of_work: UnitOfWorkFactory
) -> Authenticator:
    return Authenticator(
        directory,
        units_of_work,
        vouching=_vouching(settings, units_of_work),
        sessions=sessions,
        terms=_session_terms(settings),
    )


def _people(settings: Settings, services: _Services, units_of_work: UnitOfWorkFactory, hasher: Argon2Hasher) -> People:
    reader, terms = SqlSessionReader(services.engine), _session_terms(settings)
    local = LocalCounters()
    attempts = Attempts(local if services.cache is None else ValkeyCounters(services.cache, local))
    return People(
        signing_in=SigningIn(units_of_work, reader, hasher, attempts, terms),
        sessions=SessionService(units_of_work, reader, SqlAccountReader(services.engine), terms),
        passwords=PasswordService(units_of_work, hasher, attempts, are_offered=settings.auth.passwords),
        administration=AccountAdministrationService(units_of_work, reader, hasher),
        provider=_provider(settings),
    )


def _provider(settings: Settings) -> CodeFlow | None:
    """Tokens of a visit are for the client that the gallery is there, whatever the audience of other tokens."""
    oidc = settings.auth.oidc
    if settings.auth.mode is not AuthMode.OIDC or oidc.client_id is None:
        return None
    for_client = oidc.model_copy(update={"audience": oidc.client_id})
    return CodeFlow(oidc, JwtVerifier(for_client, SigningKeys(oidc), utc_now))


def _session_terms(settings: Settings) -> SessionTerms:
    return SessionTerms(
        ttl=timedelta(seconds=settings.auth.session_ttl_seconds),
        idle=timedelta(seconds=settings.auth.session_idle_seconds),
        passwords=settings.auth.passwords,
    )


def _vouching(settings: Settings, units_of_work: UnitOfWorkFactory) -> Vouching | None:
    if settings.auth.mode is not AuthMode.OIDC:
        return None
    return Vouching(JwtVerifier(settings.auth.oidc, SigningKeys(settings.auth.oidc), utc_now), units_of_work)


def _staging_limits(settings: Settings) -> StagingLimits:
    return StagingLimits(
        max_file_size_bytes=settings.uploads.max_file_size,
        part_size_bytes=settings.storage.part_size_bytes,
        ttl=timedelta(seconds=settings.uploads.staged_ttl_seconds),
        url_ttl=timedelta(seconds=settings.uploads.part_url_ttl_seconds),
        max_open_uploads=settings.uploads.max_open_uploads,
        max_open_bytes=settings.uploads.max_open_bytes,
    )


def _timing(settings: Settings) -> IdempotencyTiming:
    return IdempotencyTiming(
        key_ttl=timedelta(seconds=settings.idempotency.key_ttl_seconds),
        lease=timedelta(seconds=settings.idempotency.lease_seconds),
        wait_seconds=settings.idempotency.wait_seconds,
    )


def _sweep(engine: AsyncEngine, units_of_work: UnitOfWorkFactory, storages: Storages) -> SweepService:
    named_objects = SqlNamedObjects(engine)
    return SweepService(
        comparison=StorageComparison(
            unit_of_work=units_of_work,
            storage=storages.objects,
            inventory=storages.inventory,
            named_objects=named_objects,
            paths=ObjectPaths(),
        ),
        abandoned=AbandonedUploads(
            unit_of_work=units_of_work,
            staging=storages.staging,
            inventory=storages.inventory,
            named_objects=named_objects,
            paths=ObjectPaths(),
        ),
        held_jobs=PgHeldJobs(engine),
        last_reports=SqlLastReports(engine),
    )


def _metrics_page(metrics: PrometheusMetrics, services: _Services, others: OtherProcesses | None) -> PrometheusPage:
    engine, reports = services.engine, SqlLastReports(services.engine)
    process = ProcessState(
        cache=services.cache,
        responses=None if services.responses is None else services.responses.metrics,
        pool_use=lambda: pool_use(engine),
        parts_in_flight=lambda: services.storages.objects.parts_in_flight,
        received_bytes=lambda: metrics.received_bytes,
    )

    async def read_figures() -> DatabaseFigures:
        return DatabaseFigures(jobs=await job_counts(engine), reports=await reports.all())

    return PrometheusPage(metrics, process, DatabaseState(read_figures), others)


def _verifier(settings: Settings) -> VipsImageVerifier:
    limits = DecodingLimits(max_pixels=settings.uploads.max_pixels, kept_bytes_of_file=settings.storage.part_size_bytes)
    return VipsImageVerifier(limits)


def _renderer(settings: Settings) -> VipsImageRenderer:
    sizes = settings.thumbnails
    return VipsImageRenderer(
        {
            RenditionSize.SMALL: sizes.small_px,
            RenditionSize.MEDIUM: sizes.medium_px,
            RenditionSize.LARGE: sizes.large_px,
        },
        quality=sizes.quality,
        max_pixels=settings.uploads.max_pixels,
        parallel=settings.worker.concurrency,
    )
