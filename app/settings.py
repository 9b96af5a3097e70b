"""What can be set: from the environment (`KMEMLAB_DATABASE_URL=…`) or as arguments, made once, passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.proxies import TrustedProxies, proxies_of

MIB = 1 << 20


class Settings(BaseSettings):
    """One server's settings. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix="KMEMLAB_", frozen=True)

    database_url: str = Field(
        "sqlite:///kmemlab.db", description="where everything is kept, as an SQLAlchemy URL"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    uds: Path | None = Field(None, description="a socket in the file system to listen on, instead of a port")
    public_url: str | None = Field(None, description="the address users type, where it differs")
    trusted_proxies: str = Field(
        "",
        description="proxies whose `X-Forwarded-For` is believed: addresses, networks, `unix`; with commas",
    )
    lab: bool = Field(False, description="lab mode: instructors and students sign in, and labs are theirs")
    metrics_token: SecretStr | None = Field(
        None, min_length=16, description="the token with which `/metrics` is read in lab mode"
    )
    log: Literal["text", "json"] = Field("text", description="how the log is written: `text`, or `json`")
    demos: Path | None = Field(None, description="a folder with guided demos of one's own")
    exercises: Path | None = Field(None, description="a folder with exercises of one's own")

    connections: int = Field(
        4_096, gt=0, description="most connections at a time; never more than open files allow"
    )
    connections_per_address: int = Field(
        600, gt=0, description="most of them from one address on which nobody has signed in yet"
    )
    head_time: float = Field(
        10.0, gt=0, description="longest that a connection may take to begin, and a request's head to come"
    )
    answer_idle: float = Field(
        20.0, gt=0, description="longest that the reader of an answer may take nothing"
    )
    answers_memory: int = Field(
        256 * MIB, gt=0, description="most bytes of long answers that wait for their readers"
    )
    requests_per_principal: int = Field(
        32, gt=0, description="most requests of one principal that run at a time, in lab mode"
    )
    waits_per_principal: int = Field(
        128, gt=0, description="most requests of one principal that wait (`?wait=`) at a time, in lab mode"
    )

    stranger_body_limit: int = Field(
        16 << 10, gt=0, description="largest body before signing in, in lab mode"
    )
    bodies_memory: int = Field(
        256 * MIB, gt=0, description="most bytes of bodies that are in memory at a time"
    )
    bodies_per_principal: int = Field(128 * MIB, gt=0, description="most of them that are one principal's")
    body_limit: int = Field(MIB, gt=0, description="largest request body")
    batch_body_limit: int = Field(8 * MIB, gt=0, description="largest body of a batch of calls")
    replacement_body_limit: int = Field(
        32 * MIB, gt=0, description="largest body with a reference string or a trace"
    )
    dump_limit: int = Field(64 * MIB, gt=0, description="largest body that creates a session from a dump")
    import_limit: int = Field(256 * MIB, gt=0, description="largest exported session that is imported")
    import_time: float = Field(
        600.0, gt=0, description="longest that making an imported session's calls again may take"
    )
    upload_idle: float = Field(20.0, gt=0, description="longest that a body may stand still on its way")
    upload_time: float = Field(600.0, gt=0, description="longest that a body may take to come")
    uploads: int = Field(
        32, gt=0, description="most files that come in or wait to be imported; half of them for one lab"
    )
    imports: int = Field(4, gt=0, description="most sessions that are imported at a time")
    imports_per_principal: int = Field(2, gt=0, description="most files of one principal that come or wait")
    slow_per_principal: int = Field(
        8, gt=0, description="requests of one principal that take long and are worked on or wait"
    )
    batch_calls: int = Field(10_000, gt=0, description="most calls in a batch")
    wait_limit: float = Field(30.0, ge=0, description="longest that a blocked call may be waited for")

    rate_per_second: float | None = Field(
        None, gt=0, description="requests of one principal a second, in the long run; no limit by default"
    )
    rate_burst: int = Field(100, gt=0, description="requests of one principal that may come at once")

    streams: int = Field(2_000, gt=0, description="most event streams that are open at a time")
    streams_per_principal: int = Field(500, gt=0, description="most event streams of one principal")
    streams_per_member: int = Field(20, gt=0, description="most event streams of one member of a lab")
    stream_behind: int = Field(
        20_000, gt=0, description="rows a reader may be behind before it has to read the machine anew"
    )

    sessions_per_owner: int = Field(1_000, gt=0, description="most sessions of one owner")
    sessions_per_member: int = Field(
        30, gt=0, description="most sessions of one member of a lab, beside those of their variants"
    )
    members_per_lab: int = Field(500, gt=0, description="most members of a lab")
    machines_per_lab: int = Field(50, gt=0, description="most machines that a lab prepares and shares")
    labs_per_instructor: int = Field(200, gt=0, description="most labs of one instructor")
    sheets_per_lab: int = Field(100, gt=0, description="most sheets of one lab")
    exercises_per_sheet: int = Field(50, gt=0, description="most exercises of one sheet")
    variants_per_exercise: int = Field(
        100, gt=0, description="most variants of one exercise of a sheet that one member may have"
    )
    explain_below: int = Field(
        35, ge=0, le=100, description="per cent right in a vote below which it is advised to explain first"
    )
    go_on_above: int = Field(
        70, ge=0, le=100, description="per cent right in a vote above which it is advised to go on"
    )
    retention_days: float | None = Field(
        None, gt=0, description="days after which a lab where nothing happens is deleted with all its data"
    )
    session_bytes: int = Field(
        1024 * MIB, gt=0, description="most bytes of rows, lists and states of one session"
    )
    member_bytes: int = Field(
        256 * MIB, gt=0, description="most bytes of all sessions of one member of a lab"
    )
    names_per_person: int = Field(20_000, gt=0, description="most names of one person in a session")
    waiting_calls: int = Field(
        4_096, gt=0, description="calls that may wait for the writer; more are refused for now"
    )
    machines_memory: int = Field(1024 * MIB, gt=0, description="estimated memory of the machines held open")

    busy_timeout: float = Field(
        5.0, gt=0, description="how long to wait for another process's lock on the database"
    )

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies that are trusted."""
        return proxies_of(self.trusted_proxies)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, given: str) -> str:
        try:
            proxies_of(given)
        except ValueError as error:
            raise ValueError(
                f"addresses, networks (10.0.0.0/8) and `unix`, with commas between them: {error}"
            ) from None
        return given

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, given: str | None) -> str | None:
        if given is None:
            return None
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("an address such as https://kmemlab.example.org")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(
                "kmemlab needs a host name of its own, such as https://kmemlab.example.org, and no path"
            )
        return given

    @model_validator(mode="after")
    def _a_file(self) -> Self:
        if self.database_url.startswith("sqlite") and self.database_url.rpartition("/")[2] in (
            "",
            ":memory:",
        ):
            raise ValueError("database_url: SQLite needs a file (sqlite:///kmemlab.db), memory is not kept")
        return self
