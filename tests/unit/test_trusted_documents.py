"""Documents that the operator trusts: how their manifest is read, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gallery.settings_graphql import GraphQLSettings
from gallery.web.graphql.trusted import TrustedDocuments, TrustedDocumentsError, sha256_of, trusted_documents
from tests.graphql_server import SCHEMA

GREETING = "{ greeting }"


def read(file: Path, content: Any) -> TrustedDocuments:  # noqa: ANN401  # any JSON
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return trusted_documents(GraphQLSettings(trusted_documents=file), SCHEMA)


def test_documents_are_found_by_their_ids_and_by_their_hashes(tmp_path: Path) -> None:
    sha256 = sha256_of(GREETING)
    documents = read(tmp_path / "manifest.json", {"greeting-1": GREETING})

    assert documents.find("greeting-1") == documents.find(f"sha256:{sha256}") == GREETING
    assert documents.find_by_hash(sha256) == GREETING
    assert documents.find(sha256) is documents.find("sha256:greeting-1") is documents.find_by_hash("greeting-1") is None
    assert not documents.exclusive


def test_without_a_manifest_nothing_is_trusted() -> None:
    assert trusted_documents(GraphQLSettings(), SCHEMA).find(f"sha256:{sha256_of(GREETING)}") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "which is not JSON"),
        ([GREETING], 'which is not a JSON object of documents by ids: {"id": "query …"}.'),
        ({"a": {"body": GREETING}}, "which is not a JSON object of documents by ids"),
        ({"a": "{ greeting"}, '"a" is not valid (line 1): Syntax Error: Expected Name, found <EOF>.'),
        ({"a": "query {\n nothing }"}, "\"a\" is not valid (line 2): Cannot query field 'nothing' on type 'Query'."),
        ({"": GREETING}, "a document has an empty id."),
        ({f"sha256:{'0' * 64}": GREETING}, f'"sha256:{"0" * 64}" is not the SHA-256 of its document.'),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_name_and_what_is_wrong(
    tmp_path: Path, content: object, said: str
) -> None:
    file = tmp_path / "manifest.json"
    with pytest.raises(TrustedDocumentsError) as refused:
        read(file, content)

    assert str(file) in str(refused.value)
    assert said in str(refused.value)


def test_everything_that_is_wrong_is_told_in_a_line_each(tmp_path: Path) -> None:
    with pytest.raises(TrustedDocumentsError) as refused:
        read(tmp_path / "manifest.json", {"a": "{ nothing }", "b": GREETING, "c": "{ neither }"})

    assert ['"a"' in line or '"c"' in line for line in str(refused.value).splitlines()] == [True, True]


def test_a_manifest_that_is_not_there_is_told_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(TrustedDocumentsError) as refused:
        trusted_documents(GraphQLSettings(trusted_documents=tmp_path / "none.json"), SCHEMA)

    assert str(refused.value) == (
        f"GALLERY_GRAPHQL__TRUSTED_DOCUMENTS is {tmp_path}/none.json, which cannot be read: No such file or directory."
    )


def test_only_trusted_documents_need_a_manifest() -> None:
    with pytest.raises(ValidationError, match="set GALLERY_GRAPHQL__TRUSTED_DOCUMENTS"):
        GraphQLSettings(only_trusted=True)
