"""The benchmarks run, with tiny sizes; and a server that answers something else is found out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import orjson
import psutil
import pytest

from benchmarks import depth, mixed, nested, scale, upload, workers
from benchmarks.__main__ import benchmarks
from benchmarks.load import HOST, WrongAnswerError, ask, load, post_request
from benchmarks.processes import MEBIBYTE, BenchmarkError, module_command, serving
from benchmarks.queries import IMAGE_BY_ID, compare, queries
from benchmarks.rounds import Comparison, Spread, Subject, Turn, take_turns
from benchmarks.seed import Amounts, identifier, seed
from benchmarks.servers import PEERS, install_node_packages
from gallery.platform.database.engine import driver_dsn
from tests.e2e.node_clients import skip_unless_ci

REQUEST = post_request(b"{}")
RELATIONS = ("TABLE image_tags", "TABLE renditions", "TABLE album_images")


@pytest.fixture
def node_packages() -> None:
    """What peers on Node.js need; a test without it is skipped where neither Node.js nor a registry is at hand."""
    try:
        install_node_packages()
    except BenchmarkError as error:
        skip_unless_ci(str(error))


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def take(name: str, taken: list[str]) -> Callable[[], Awaitable[Turn]]:
    async def turn() -> Turn:
        taken.append(name)
        return Turn(units=2 if name == "A" else 6, seconds=1, cpu_seconds=4 if name == "A" else 1)

    return turn


class Answers:
    """An HTTP server that gives these answers, one per request, on any connection."""

    def __init__(self, *bodies: bytes, status: str = "200 OK") -> None:
        self.bodies = list(bodies)
        self.status = status
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                await reader.readuntil(b"{}")
            except asyncio.IncompleteReadError:
                break
            body = self.bodies[min(self.asked, len(self.bodies) - 1)]
            self.asked += 1
            writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: {len(body)}\r\n\r\n".encode())
            await asyncio.sleep(0)  # the body may come later than its head
            writer.write(body)
        writer.close()


async def test_subjects_take_turns_in_opposite_orders_and_ratios_are_to_the_first() -> None:
    taken: list[str] = []

    comparison = await take_turns([Subject("A", take("A", taken)), Subject("B", take("B", taken))], rounds=3)

    assert "".join(taken) == "ABBAAB"
    assert comparison.baseline == "A"
    assert comparison.ratio("B", lambda turn: turn.rate) == Spread(median=3, least=3, most=3)
    assert comparison.ratio("B", lambda turn: turn.cpu_per_unit).median == pytest.approx(1 / 12)


def test_a_ratio_is_taken_within_each_round() -> None:
    fast_then_slow = [Turn(units=units, seconds=1, cpu_seconds=1) for units in (100, 10, 40)]
    twice_as_fast = [Turn(units=units, seconds=1, cpu_seconds=1) for units in (200, 20, 80)]

    comparison = Comparison(turns={"A": fast_then_slow, "B": twice_as_fast})

    assert comparison.ratio("B", lambda turn: turn.rate) == Spread(median=2, least=2, most=2)
    assert comparison.spread("B", lambda turn: turn.rate) == Spread(median=80, least=20, most=200)


async def test_load_counts_answers_on_connections_that_stay_open() -> None:
    answers = Answers(b"right")
    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        done = await load(port_of(server), REQUEST, expected=b"right", connections=3, seconds=0)

    assert len(done.latencies_seconds) == answers.asked == 3


async def test_load_refuses_an_answer_that_is_not_the_expected_one() -> None:
    answers = Answers(b"right", b"wrong")
    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        with pytest.raises(WrongAnswerError, match="is not the one expected"):
            await load(port_of(server), REQUEST, expected=b"right", connections=1, seconds=5)

    assert answers.asked == 2


async def test_load_refuses_an_error() -> None:
    async with await asyncio.start_server(Answers(b"{}", status="500 Oops"), "127.0.0.1", 0) as server:
        with pytest.raises(WrongAnswerError, match="is not 200"):
            await ask(port_of(server), REQUEST)


async def test_the_same_numbers_give_the_same_data(database_url: str) -> None:
    amounts = Amounts(images=10, tags=4, albums=2)
    connection = await asyncpg.connect(driver_dsn(database_url))
    try:
        await seed(database_url, amounts)
        newest = await connection.fetchrow("SELECT id, title FROM images ORDER BY uploaded_at DESC LIMIT 1")
        first = [sorted(map(tuple, await connection.fetch(relation))) for relation in RELATIONS]
        await connection.execute("TRUNCATE images, tags, albums CASCADE")
        await seed(database_url, amounts)
        second = [sorted(map(tuple, await connection.fetch(relation))) for relation in RELATIONS]
    finally:
        await connection.close()
    assert [len(rows) for rows in first] == [30, 30, 10]
    assert first == second
    assert newest is not None
    assert (newest["id"], newest["title"]) == (identifier(1, 9), "Bagorha winter harbour 9")


async def test_a_seeded_database_keeps_its_indexes_and_references(database_url: str) -> None:
    made = """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid >= 16384
        UNION SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid >= 16384
    """
    connection = await asyncpg.connect(driver_dsn(database_url))
    try:
        before = {row[0] for row in await connection.fetch(made)}
        await seed(database_url, Amounts(images=200, tags=4, albums=2))
        after = {row[0] for row in await connection.fetch(made)}
        deleted = await connection.fetchval("SELECT count(*) FROM images WHERE deleted_at IS NOT NULL")
    finally:
        await connection.close()
    assert before == after
    assert deleted == 1


async def test_a_server_that_does_not_start_is_told_of_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="No module named"):
        async with serving(module_command("benchmarks.no_such_module", {}), tmp_path / "server", frozenset()):
            pass


async def test_nested_measures_servers_that_answer_alike_and_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    options = nested.options_of(
        ["--rounds", "1", "--images", "60", "--connections", "2", "--json", str(written)],
    )

    await nested.measure(options, warm_up_seconds=0)

    content = orjson.loads(written.read_bytes())
    [result] = content["results"]
    galleries = ["no-cache", "cached", "responses", "responses-valkey"]
    assert list(result["subjects"]) == ["strawberry", *(f"gallery, {name}" for name in galleries)]
    assert all(subject["turns"][0]["units"] >= 2 for subject in result["subjects"].values())
    assert all(subject["cpu_seconds"] > 0 for subject in result["subjects"].values())
    assert result["subjects"]["strawberry"]["ratios"]["rate"]["median"] == 1
    assert children() == before


async def test_workers_compares_galleries_of_several_processes_and_leaves_none(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    options = workers.options_of(
        ["--rounds", "1", "--images", "60", "--connections", "4", "--queries", "image", "--json", str(written)]
    )

    await workers.measure(options, warm_up_seconds=0)

    [result] = orjson.loads(written.read_bytes())["results"]
    assert list(result["subjects"]) == ["workers 1", "workers 2"]
    assert all(subject["turns"][0]["units"] >= 4 for subject in result["subjects"].values())
    assert result["beside_cpu_ms"] > 0
    assert children() == before


async def test_nested_finds_out_a_server_that_answers_differently_and_leaves_no_process() -> None:
    before = children()
    options = nested.options_of(["--rounds", "1", "--images", "3", "--connections", "1"])

    with pytest.raises(
        WrongAnswerError, match=r"\$\.data\.images\.nodes\[0\]\.title is '.* bakinfi 2', not '.* bakinfi 2!'"
    ):
        await nested.measure(options, warm_up_seconds=0, peer_environment={"PEER_WRONG": "1"})

    assert children() == before


@pytest.mark.usefixtures("node_packages")
async def test_all_kinds_of_peers_answer_all_queries_as_the_gallery_does_and_leave_no_process() -> None:
    before = children()
    peers = ["strawberry", "mercurius-jit-cache", "yoga-jit-valkey", "apollo", "sql", "bytes"]
    options = nested.options_of(["--images", "55", "--gallery", "no-cache", "--peers", *peers])

    async with nested.running(options, {}) as servers:
        assert list(servers) == [*peers, "gallery, no-cache"]
        for query in queries(options.images).values():
            for _ in range(3):  # then queries are compiled, and answers come from caches
                compare(query, {name: await ask(server.port, query.request()) for name, server in servers.items()})

    assert children() == before


@pytest.mark.usefixtures("node_packages")
async def test_the_cache_that_is_told_of_writes_shows_them_and_the_other_does_not() -> None:
    peers = ["mercurius-jit-dropping", "mercurius-jit-cache"]
    options = mixed.options_of(["--images", "2000", "--gallery", "--peers", *peers])
    titles = {}

    async with nested.running(options, {}) as servers:
        for place, (name, server) in enumerate(servers.items()):
            id_ = mixed.titles_of(place, options.images).ids[0]
            read: dict[str, object] = {"query": IMAGE_BY_ID, "operationName": "One", "variables": {"id": id_}}
            new = {"id": id_, "title": "title 1"}
            reader, writer = await asyncio.open_connection(HOST, server.port)
            await mixed.exchange(reader, writer, read)
            await mixed.exchange(reader, writer, {"query": mixed.UPDATE, "operationName": "Update", "variables": new})
            titles[name] = (await mixed.exchange(reader, writer, read))["image"]["title"]
            writer.close()

    assert titles["mercurius-jit-dropping"] == "title 1"
    assert titles["mercurius-jit-cache"] != "title 1"


def test_an_image_of_which_more_than_the_title_changes_is_a_wrong_answer() -> None:
    titles = mixed.Titles(ids=["img_1", "img_2"])
    titles.compare("img_1", {"title": "title 1", "tags": [{"name": "sea"}]})
    titles.compare("img_2", {"title": "title 1", "tags": []})
    titles.compare("img_1", {"title": "title 2", "tags": [{"name": "sea"}]})

    with pytest.raises(WrongAnswerError, match=r"img_1 is not what it was: \$\.tags is \[\]"):
        titles.compare("img_1", {"title": "title 2", "tags": []})


async def test_more_servers_than_the_database_has_connections_for_are_refused() -> None:
    options = nested.options_of(["--peers", *PEERS])

    with pytest.raises(BenchmarkError, match="Choose between 1 and 9 servers"):
        await nested.measure(options)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"images": {"nodes": [{}], "pageInfo": {"hasNextPage": False}}}},
        {"data": {"images": {"nodes": [{}, {}], "pageInfo": {"hasNextPage": False}}}, "errors": [{"message": "Oops"}]},
    ],
)
def test_an_incomplete_answer_is_refused_even_if_all_give_it(answer: object) -> None:
    body = orjson.dumps(answer)

    with pytest.raises(WrongAnswerError, match="A does not answer Page"):
        compare(queries(images=2)["page"], {"A": body, "B": body})


async def test_scale_asks_for_every_list_and_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    sizes = ["--images", "200", "--tags", "10", "--albums", "5", "--seconds", "0"]

    await scale.measure(scale.options_of([*sizes, "--json", str(written)]))

    results = orjson.loads(written.read_bytes())
    assert {"title: album", "count: both of two tags", "nested page", "statistics"} <= results.keys()
    assert all(result["answers"] == 1 for result in results.values())
    assert children() == before


async def test_depth_compares_whole_pages_and_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    sizes = ["--small", "60", "--large", "200", "--depth", "100", "--tags", "5", "--albums", "2"]

    await depth.measure(depth.options_of([*sizes, "--rounds", "1", "--json", str(written)]))

    [result] = orjson.loads(written.read_bytes())["results"]
    assert list(result["subjects"]) == ["first of 60", "first of 200", "behind 100"]
    assert all(ratio["median"] > 0 for ratio in result["median_ratios"].values())
    assert list(result["median_ratios"]) == ["first of 200", "behind 100"]
    assert children() == before


@pytest.mark.parametrize("answer", [{"data": {"images": {"nodes": [{}] * 49}}}, {"errors": [{"message": "No."}]}])
def test_depth_refuses_a_page_that_is_not_whole(answer: object) -> None:
    with pytest.raises(WrongAnswerError):
        depth.require_whole_page(orjson.dumps(answer))


async def test_uploads_are_stored_by_the_gallery_and_by_the_client_of_s3(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    sizes = ["--rounds", "1", "--mebibytes", "17", "--files", "8"]
    options = upload.options_of(
        [*sizes, "--store", "sink", "--json", str(written), "--cases", "list", "small", "large"]
    )

    await upload.measure(options)

    large, small, together = orjson.loads(written.read_bytes())["results"]
    assert [list(case["subjects"]) for case in (large, small, together)] == [["gallery", "aiobotocore"]] * 3
    assert [subject["turns"][0]["units"] for subject in large["subjects"].values()] == [17, 17]
    assert [subject["turns"][0]["units"] for subject in small["subjects"].values()] == [8, 8]
    assert [subject["turns"][0]["units"] for subject in together["subjects"].values()] == [100, 100]
    assert together["title"] == "10 files of 10 MiB in one request to sink, 1 rounds"
    assert large["temporary_disk_bytes"] == {"gallery": 0, "aiobotocore": 0}
    assert children() == before


async def test_what_was_sent_when_the_storage_was_first_called_is_told(tmp_path: Path) -> None:
    before = children()
    written = tmp_path / "results.json"
    options = upload.options_of(["--rounds", "2", "--json", str(written), "--cases", "first-call"])

    await upload.measure(options)

    [result] = orjson.loads(written.read_bytes())["results"]
    assert result["part_bytes"] == 8 * MEBIBYTE
    assert len(result["sent_bytes"]) == 2
    assert all(sent > 8 * MEBIBYTE for sent in result["sent_bytes"])
    assert children() == before


def test_everything_that_can_be_run_is_listed() -> None:
    assert {"depth", "imaging", "nested", "scale", "seed", "upload", "workers"} <= benchmarks().keys()
    assert not {"harness", "load", "processes", "rounds"} & benchmarks().keys()


async def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", "nothing", stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await process.communicate()

    assert process.returncode == 1
    assert b"There is no benchmark 'nothing'. There are: " in complaint
    assert b"nested" in complaint


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
