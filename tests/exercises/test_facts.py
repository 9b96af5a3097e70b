"""Facts: what formulas know of a machine is what the machine shows."""

import pytest

from app.exercises import facts, formula
from app.machine import boot, show

MACHINES = [
    {"profile": "tiny-16m", "lecture": True},
    {"profile": "x86_64-1g", "cpus": 2},
    {"profile": "x86_64-8g"},
    {"profile": "i386-1g"},
    {"profile": "i386-4g"},
]


@pytest.mark.parametrize("description", MACHINES, ids=lambda each: each["profile"])
def test_facts_are_what_the_machine_shows(description: dict[str, object]) -> None:
    machine = boot.boot(description)
    fact = facts.of(machine)
    zones = show.zones(machine)["zones"]
    for zone in zones:
        name = zone["name"]
        for word in ("free", "managed", "present", "min", "low", "high"):
            assert fact(f"{word}.{name}") == zone[word]
        assert fact(f"start.{name}") == zone["start_pfn"]
        assert fact(f"end.{name}") == zone["start_pfn"] + zone["spanned"]
        for other in zones:
            assert fact(f"reserve.{name}.{other['name']}") == zone["lowmem_reserve"][other["zid"]]
    assert fact("cpus") == description.get("cpus", 1)


@pytest.mark.parametrize(
    ("profile", "frames", "bytes_each", "all_of_them"),
    [("i386-4g", 1 << 20, 40, 40 << 20), ("x86_64-8g", 2 << 20, 64, 128 << 20)],
)
def test_what_struct_page_costs(profile: str, frames: int, bytes_each: int, all_of_them: int) -> None:
    fact = facts.of(boot.boot({"profile": profile}))
    assert (fact("frames"), fact("struct_page_bytes")) == (frames, bytes_each)
    assert formula.parse("frames * struct_page_bytes").value(fact) == all_of_them


@pytest.mark.parametrize(
    ("pfn", "address"),
    [(4095, 0xFFFF888000FFF000), (4096, 0xFFFF888001000000), (1048576, 0xFFFF888100000000)],
)
def test_the_address_of_a_frame(pfn: int, address: int) -> None:
    fact = facts.of(boot.boot({"profile": "x86_64-8g"}))
    assert formula.parse(f"page_offset + ({pfn} << 12)").value(fact) == address


@pytest.mark.parametrize(
    "name", ["", "managed", "managed.Normal", "managed.DMA.DMA", "reserve.DMA", "zones.DMA", "cpus.1"]
)
def test_what_is_no_fact_of_a_small_machine(name: str) -> None:
    with pytest.raises(KeyError):
        facts.of(boot.boot({"profile": "tiny-16m"}))(name)


def test_every_name_has_a_value_and_is_a_fact() -> None:
    machine = boot.boot({"profile": "i386-1g"})
    fact = facts.of(machine)
    for name in facts.names(machine):
        assert fact(name) >= 0
        assert facts.is_fact(name)
    for name in ("share", "who.1", "managed", "free"):
        assert not facts.is_fact(name)
