"""Reading files, folders and globs; plans and their calls."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath

import pytest

from iucore import errors
from iucore.textcode import cut as c


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "work place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def put(folder: Path, name: str, data: str | bytes = "# A\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def keys(plan: c.Plan) -> list[str]:
    return [document.key for document in plan.documents]


def test_a_folder_gives_its_documents_sorted_by_bytes(here):
    for name in ("b.md", "B.MD", "a/z.markdown", "a.txt", "é.md", ".hidden/x.md", "skip.py", "LICENSE"):
        put(here, f"docs/{name}")
    for name in (".git/a.md", ".hg/a.md", "x/.svn/a.md"):
        put(here, f"docs/{name}")
    plan = c.read_paths(["docs"], prefix="p")
    assert keys(plan) == ["p/.hidden/x.md", "p/B.MD", "p/a.txt", "p/a/z.markdown", "p/b.md", "p/%C3%A9.md"]
    assert plan.bad == ()
    assert (plan.files, plan.pieces, plan.contents, plan.byte_length) == (6, 6, 1, 24)
    assert keys(c.read_paths(["."], prefix="p"))[0] == "p/docs/.hidden/x.md"


def test_include_replaces_the_suffixes(here):
    for name in ("a.md", "x/LICENSE", "x/y/b.rst", "c.py"):
        put(here, f"docs/{name}")
    assert keys(c.read_paths(["docs"], prefix="p", include=["LICENSE", "*.rst"])) == ["p/x/LICENSE", "p/x/y/b.rst"]
    assert keys(c.read_paths(["docs"], prefix="p", include=["x/L*"])) == ["p/x/LICENSE"]


def test_a_named_file_keeps_its_path_below_the_current_folder(here, tmp_path):
    put(here, "docs/a.rst")
    outside = put(tmp_path, "elsewhere/b.md")
    assert keys(c.read_paths(["docs/a.rst", here / "docs" / ".." / "docs" / "a.rst", outside], prefix="p")) == [
        "p/docs/a.rst",
        "p/b.md",
    ]


def test_globs(here, tmp_path):
    for name in ("a.md", "b.py", ".c.md", "x/d.md", "x/y/e.md", ".git/f.md", "[g].md"):
        put(here, name)
    put(tmp_path, "other/x/h.md")
    put(tmp_path, "other/y/h.md")

    def found(*patterns: str) -> list[str]:
        return sorted(str(source.relative) for source in c.discover(patterns).sources)

    assert found("*.md") == ["[g].md", "a.md"]
    assert found("*") == ["[g].md", "a.md", "b.py"]
    assert found("x/*") == ["x/d.md"]
    assert found("**/*.md") == ["[g].md", "a.md", "x/d.md", "x/y/e.md"]
    assert found("x/**") == ["x/d.md", "x/y/e.md"]
    assert found("**/y/*.md") == ["x/y/e.md"]
    assert found(".*.md") == [".c.md"]
    assert found("[ab].*") == ["a.md", "b.py"]
    assert found("[g].md") == ["[g].md"]
    assert found(f"{tmp_path}/other/*/h.md") == ["x/h.md", "y/h.md"]
    bad = c.discover(["*.nothing", "no/such/*.md"]).bad
    assert [file.code for file in bad] == ["ENOENT", "ENOENT"]


def test_the_same_file_twice_is_read_once(here):
    put(here, "a.md")
    assert keys(c.read_paths(["a.md", "./a.md", "*.md"], prefix="p")) == ["p/a.md"]


def test_two_files_with_one_key_are_named_both(here, tmp_path):
    put(tmp_path, "one/a.md")
    put(tmp_path, "two/a.md")
    plan = c.read_paths([tmp_path / "one", tmp_path / "two"], prefix="p")
    assert [file.code for file in plan.bad] == ["IU031"]
    assert str(tmp_path / "one/a.md") in str(plan.bad[0])
    assert str(tmp_path / "two/a.md") in str(plan.bad[0])
    with pytest.raises(errors.InvalidError):
        plan.calls(reason="r")


def test_links_are_not_followed_unless_named(here, tmp_path):
    put(tmp_path, "secret/s.md", "# Secret\n")
    put(here, "docs/a.md")
    (here / "docs" / "s.md").symlink_to(tmp_path / "secret/s.md")
    (here / "docs" / "folder").symlink_to(tmp_path / "secret")
    (here / "docs" / "loop").symlink_to(".")
    (here / "docs" / "gone.md").symlink_to("nowhere")
    (here / "docs" / "other.py").symlink_to("nowhere")
    plan = c.read_paths(["docs"], prefix="p")
    assert keys(plan) == ["p/a.md"]
    assert plan.bad == ()
    assert sorted(Path(link).name for link in plan.links) == ["folder", "gone.md", "loop", "s.md"]
    for pattern in ("docs/*.md", "docs/**/*.md", "docs/*/*.md"):
        assert {document.title for document in c.read_paths([pattern], prefix="p").documents} <= {"A"}
    assert keys(c.read_paths(["docs/s.md", "docs/folder"], prefix="p")) == ["p/docs/s.md", "p/s.md"]


def test_a_listed_file_that_becomes_a_link_is_not_followed(here, tmp_path):
    secret = put(tmp_path, "secret.md")
    put(here, "docs/a.md")
    (source,) = c.discover(["docs"]).sources
    (here / "docs/a.md").unlink()
    (here / "docs/a.md").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic link"):
        c.read_text(source)


def test_every_bad_file_is_listed_with_its_byte(here, monkeypatch):
    monkeypatch.setattr(c, "MAX_BODY_BYTES", 100)
    monkeypatch.setattr(c, "MAX_FILE_BYTES", 1000)
    put(here, "d/good.md", "# Good\n")
    put(here, "d/latin.md", "ab é".encode("latin-1") + b"\0")
    put(here, "d/nul.md", b"abc\0\xff")
    put(here, "d/utf16.md", "x".encode("utf-16"))
    put(here, "d/surrogate.md", b"a\xed\xa0\x80")
    put(here, "d/cut.md", "aé".encode()[:-1])
    put(here, "d/large.md", "# A\n# B\n" + "x" * 200)
    put(here, "d/huge.md", "x" * 1001)
    os.mkfifo(here / "d/pipe")
    plan = c.read_paths(["d", "d/pipe", "missing.md", "/dev/null"], prefix="p")
    assert {(Path(file.path).name, file.code, file.offset) for file in plan.bad} == {
        ("latin.md", "IU013", 3),
        ("nul.md", "IU012", 3),
        ("utf16.md", "IU013", 0),
        ("surrogate.md", "IU013", 1),
        ("cut.md", "IU013", 1),
        ("large.md", "IU014", 4),
        ("huge.md", "IU014", 1000),
        ("pipe", "IU031", None),
        ("null", "IU031", None),
        ("missing.md", "ENOENT", None),
    }
    assert keys(plan) == ["p/good.md"]
    with pytest.raises(errors.InvalidError) as caught:
        plan.calls(reason="r")
    assert all(str(file) in caught.value.detail for file in plan.bad)
    assert "latin.md: not UTF-8 at byte 3 (IU013)" in caught.value.detail
    going = c.read_paths(["d", "missing.md"], prefix="p", keep_going=True)
    assert going.bad
    assert len(going.calls(reason="r")) == 2


def test_one_bad_file_among_a_thousand(here):
    for number in range(1000):
        put(here, f"d/{number:04}.md", b"\xff" if number in (17, 917) else b"# A\n")
    plan = c.read_paths(["d"], prefix="p")
    assert [Path(file.path).name for file in plan.bad] == ["0017.md", "0917.md"]
    assert len(plan.documents) == 998
    with pytest.raises(errors.InvalidError, match="2 of the files"):
        plan.check()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_what_may_not_be_read_is_reported(here):
    put(here, "d/a.md").chmod(0)
    put(here, "d/closed/b.md").parent.chmod(0)
    try:
        assert [file.code for file in c.read_paths(["d"], prefix="p").bad] == ["EACCES", "EACCES"]
    finally:
        (here / "d/closed").chmod(0o700)


def test_an_unreadable_folder_is_reported(here, monkeypatch):
    put(here, "d/a.md")

    def refused(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(c.os, "scandir", refused)
    assert [(Path(file.path).name, file.code) for file in c.discover(["d"]).bad] == [("d", "EACCES")]


def test_names_that_are_not_utf8_go_through(here):
    put(here, os.fsdecode(b"d/\xff\n.md"), "text\n")
    (document,) = c.read_paths(["d"], prefix="p").documents
    assert document.key == "p/%FF%0A.md"
    assert c.path_of_key(document.key, "p") == document.path
    document.title.encode()
    put(here, os.fsdecode(b"d/\xfe.md"), b"\xff")
    assert str(c.read_paths(["d"], prefix="p").bad[0]).endswith("\\xfe.md: not UTF-8 at byte 0 (IU013)")
    assert "\\n" in c.printable(document.path.name)


def test_progress_counts_every_file(here):
    for number in range(3):
        put(here, f"d/{number}.md", b"\0" if number == 1 else b"a")
    seen = []
    c.read_paths(
        ["d"], prefix="p", progress=lambda done, total, source: seen.append((done, total, source.relative.name))
    )
    assert seen == [(1, 3, "0.md"), (2, 3, "1.md"), (3, 3, "2.md")]


def test_a_malformed_prefix_or_level_is_refused_before_reading(here):
    with pytest.raises(errors.InvalidError):
        c.read_paths(["nowhere"], prefix="a b")
    with pytest.raises(ValueError, match="level"):
        c.read_paths(["nowhere"], prefix="p", level=9)


def test_bytes_come_through(here):
    data = "\ufeff# A\r\nx\rе\u0301\u202e\u2028\x0c\x85\n\n".encode()
    put(here, "a.md", data)
    (document,) = c.read_paths(["a.md"], prefix="p").documents
    assert "".join(piece.body for piece in document.pieces).encode() == data


def plan_of(**texts: str) -> c.Plan:
    return c.Plan(
        tuple(c.cut_document(text, path=PurePosixPath(f"{name}.md"), prefix="p") for name, text in texts.items())
    )


def births(calls) -> list[dict]:
    return [
        piece
        for call in calls
        if call.function == "fn_iu_create_many"
        for piece in json.loads(call.arguments["p_pieces"])
    ]


def members(calls) -> dict[str, list]:
    return {
        call.arguments["p_key"]: json.loads(call.arguments["p_members"])
        for call in calls
        if call.function == "fn_iu_collection_create"
    }


def test_calls_give_birth_then_compose():
    plan = plan_of(a="# One\n# É\u2028\n", b="")
    calls = plan.calls(reason="import", kind="policy", actor="me", request_key="k")
    assert [call.function for call in calls] == [
        "fn_iu_create_many",
        "fn_iu_collection_create",
        "fn_iu_collection_create",
    ]
    assert [call.arguments["p_request_key"] for call in calls] == ["k:1", "k:2", "k:3"]
    assert all(call.arguments["p_reason"] == "import" and call.arguments["p_actor"] == "me" for call in calls)
    assert births(calls) == [
        {"address": "p/a.md#one", "kind": "policy", "title": "One", "body": "# One\n"},
        {"address": "p/a.md#e", "kind": "policy", "title": "É", "body": "# É\u2028\n"},
        {"address": "p/b.md#preamble", "kind": "policy", "title": "b.md", "body": ""},
    ]
    assert calls[1].arguments["p_key"] == "p/a.md"
    assert calls[1].arguments["p_kind"] == "file"
    assert calls[1].arguments["p_title"] == "One"
    assert members(calls)["p/a.md"] == [{"piece": "p/a.md#one"}, {"piece": "p/a.md#e"}]
    assert plan.calls(reason="r")[0].arguments["p_request_key"] is None
    assert c.Plan(()).calls(reason="r") == []


def test_calls_are_divided_by_size():
    plan = plan_of(a="".join(f"# {number}\n{'x' * 100}\n" for number in range(10)))
    calls = plan.calls(reason="r", request_key="k", chunk_bytes=500)
    assert [call.arguments["p_request_key"] for call in calls] == [f"k:{number}" for number in range(1, len(calls) + 1)]
    assert len(calls) > 3
    assert all(len(call.arguments["p_pieces"].encode()) <= 502 for call in calls[:-1])
    assert [piece["address"] for piece in births(calls)] == [piece.address for piece in plan.documents[0].pieces]
    assert len(plan.calls(reason="r", chunk_bytes=1)) == 11


def test_reuse_inside_the_set_and_of_what_is_known():
    plan = plan_of(a="# Same\n# Own\n", b="# Same\n# Known\n")
    same, known = (hashlib.sha256(body).hexdigest() for body in (b"# Same\n", b"# Known\n"))
    assert len(births(plan.calls(reason="r"))) == 4
    within = plan.calls(reason="r", reuse={})
    assert [piece["address"] for piece in births(within)] == ["p/a.md#same", "p/a.md#own", "p/b.md#known"]
    assert members(within)["p/b.md"] == [{"piece": "p/a.md#same"}, {"piece": "p/b.md#known"}]
    assert plan.reused({}) == 1
    reuse = {known: "x/y#z", same: "p/a.md#same"}
    outside = plan.calls(reason="r", reuse=reuse)
    assert [piece["address"] for piece in births(outside)] == ["p/a.md#own"]
    assert members(outside)["p/b.md"] == [{"piece": "p/a.md#same"}, {"piece": "x/y#z"}]
    assert plan.reused(reuse) == 3
    everything = {piece.sha256: "q" for document in plan.documents for piece in document.pieces}
    assert not births(plan.calls(reason="r", reuse=everything))
    assert plan.reused(everything) == plan.pieces


def test_nested_documents_come_children_first(here):
    put(here, "a.md", "# A\n## B\n### C\n")
    calls = c.read_paths(["a.md"], prefix="p", nest=True).calls(reason="r")
    created = [call.arguments["p_key"] for call in calls[1:]]
    assert created == ["p/a.md#b", "p/a.md#a", "p/a.md"]
    assert members(calls)["p/a.md#a"] == [{"piece": "p/a.md#a"}, {"collection": "p/a.md#b"}]
