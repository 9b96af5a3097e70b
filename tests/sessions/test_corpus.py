"""Sessions that earlier versions have exported are made again, to the same returns, verdicts and states."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from app.sessions import LOCAL, Sessions, verifying
from tests.support.keep_corpus import digest, exported

CORPUS = Path(__file__).parents[1] / "corpus"
FILES = sorted(CORPUS.glob("*/*.ndjson.gz"))


def as_then(dump: dict[str, Any]) -> dict[str, Any]:
    """A dump as it was before it had a format and a rule set: those sessions follow the first one."""
    assert dump["machine"]["rules"] == 1
    machine = {key: value for key, value in dump["machine"].items() if key != "rules"}
    return {key: value for key, value in dump.items() if key != "format"} | {"machine": machine}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name.partition('.')[0]}")
async def test_a_session_of_an_earlier_version(sessions: Sessions, file: Path) -> None:
    dumps = json.loads((file.parent / "dumps.json").read_text())
    data = gzip.decompress(file.read_bytes())  # noqa: ASYNC240 - nothing else runs
    sid = (await sessions.import_(LOCAL, io.BytesIO(data))).id
    assert digest(as_then(await sessions.dump(LOCAL, sid))) == dumps[file.name.partition(".")[0]]
    # What has been done is the same, whatever a row says of it today.
    then = [json.loads(line) for line in data.splitlines()]
    rows = [line["outcome"] for line in then if "outcome" in line]
    now = [row.outcome for row in await sessions.events(LOCAL, sid, rows[0]["seq"] - 1, 1_000)]
    for mine, theirs in zip(now, rows, strict=True):
        for key in ("seq", "call", "ret", "verdict", "time", "changed"):
            assert mine[key] == theirs[key]
    assert verifying.verify(sessions._store, sid, lambda *_: None).faults == []
    again = (await sessions.import_(LOCAL, io.BytesIO(await exported(sessions, sid)))).id
    assert await sessions.dump(LOCAL, again) == await sessions.dump(LOCAL, sid)


def test_there_is_a_corpus() -> None:
    assert len(FILES) >= 44
