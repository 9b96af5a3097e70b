"""What a machine is booted with: a profile and what is changed of it.

The text form of sizes is that of the kernel's command line (`mem=`, `movablecore=`): a number with K, M, G
or T.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument, Faults
from app.machine import ruleset
from app.machine.document import Document
from app.machine.profiles import DEFAULT_PROFILE, GIB, KIB, MAX_CPUS, MIB, PROFILES, TIB, Profile
from app.mm.swap_info import LEAST_PAGES, MAX_PAGES

if TYPE_CHECKING:
    from app.machine.machine import Machine

SUFFIXES: Final = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
NODE_STEP: Final = 128 * MIB
HUGE_PAGE: Final = 2 * MIB
THP_MODES: Final = ("never", "madvise", "always")


@dataclass(frozen=True, slots=True)
class BootParam:
    """A machine's parameters, complete and checked; the session keeps them.

    memory, movablecore: bytes. lecture: the lecture's view, which turns pcp, mobility and the watermark
    boost off unless they are given. process_caches: whether the kernel has made the caches from which it
    takes its own objects for processes (task, areas, owners of pages); without them those are only counted.
    boot_caches: whether it has the other caches of a booted kernel, too, which nobody uses.
    hugepages: pages of 2 MiB that the pool has from boot on. swap: pages of a swap area. reclaim: whether
    pages of processes and files are taken back when memory is short, and somebody is killed when nothing is
    left; the lecture's view leaves it out. sysctl: settings written once the machine runs. rules: see
    `app.machine.ruleset`.
    """

    profile: str
    memory: int
    cpus: int
    nodes: int
    movablecore: int
    lecture: bool
    pcp: bool
    mobility: bool
    debug: bool
    process_caches: bool
    boot_caches: bool
    transparent_hugepage: str
    hugepages: int
    swap: int
    reclaim: bool
    sysctl: dict[str, int | str]
    rules: int

    @property
    def arch(self) -> str:
        """The profile's architecture."""
        return PROFILES[self.profile].arch

    def as_json(self) -> dict[str, Any]:
        """Plain values that `parse` accepts."""
        return asdict(self)


# What a description that was kept before a field existed has meant. A new boot switch has its line here, so
# that old sessions stay without what it brings; a new machine has the default of `parse`.
BEFORE: Final[Mapping[str, Any]] = {
    "rules": ruleset.FIRST,
    "process_caches": False,
    "boot_caches": False,
    "hugepages": 0,
    "swap": 0,
    "reclaim": False,
}


def parse(doc: Mapping[str, Any], *, kept: bool = False) -> BootParam:
    """Check a description of a machine and complete it with the profile's defaults.

    kept: it is that of a machine that was booted before. Raises BadArgument with a fault for each field that
    cannot be accepted.
    """
    name = doc.get("profile", DEFAULT_PROFILE)
    if not isinstance(name, str) or name not in PROFILES:
        raise BadArgument.at("profile", f"one of {', '.join(PROFILES)}")
    profile = PROFILES[name]
    faults = Faults()
    for key in doc:
        if key not in FIELDS:
            faults.add(str(key), f"unknown; known are {', '.join(FIELDS)}")
    lecture = doc.get("lecture") is True
    values: dict[str, Any] = {
        "memory": profile.memory,
        "cpus": 1,
        "nodes": 1,
        "movablecore": 0,
        "lecture": False,
        "pcp": not lecture,
        "mobility": not lecture,
        "debug": True,
        "process_caches": not profile.tiny,
        "boot_caches": not profile.tiny,
        "transparent_hugepage": "never",
        "hugepages": 0,
        "swap": 0,
        "reclaim": not lecture,
        "sysctl": {},
        "rules": ruleset.TODAY,
    }
    if kept:
        values.update(BEFORE)
    for key, value in doc.items():
        if key in values:
            try:
                values[key] = FIELDS[key](value, profile)
            except BadArgument as error:
                faults.extend(error.under(key))
    faults.check()
    check_fitting(values)
    return BootParam(profile=name, **values)


def check_fitting(values: Mapping[str, Any]) -> None:
    """Raises BadArgument for fields that are good each for itself, but not together."""
    faults = Faults()
    memory, nodes = values["memory"], values["nodes"]
    if nodes > 1 and memory < nodes * NODE_STEP:
        faults.add("nodes", f"at most {max(1, memory // NODE_STEP)}: a node has at least 128M")
    if values["movablecore"] >= memory:
        faults.add("movablecore", "less than the machine's memory")
    faults.check()


def apply(m: Machine, param: BootParam) -> None:
    """Set the switches of a new machine; the rest of the parameters is in its zones."""
    m.rules = param.rules
    # A switch that stands as before it existed is not named: so old dumps stay what they were.
    m.config = {
        key: value
        for key, value in param.as_json().items()
        if key != "rules" and (key not in BEFORE or value != BEFORE[key])
    }
    m.debug = param.debug
    m.boot_caches = param.boot_caches
    m.page_group_by_mobility_disabled = not param.mobility
    m.boot_pagesets = not param.pcp
    m.purge_at_vfree = param.lecture
    m.vm.thp = param.transparent_hugepage
    if param.reclaim:
        m.vm.set_reclaim(m.model)


def load(m: Machine, doc: Document) -> None:
    """Take the parameters from a dump; one that was not made from a profile has none."""
    if not isinstance(doc.value, dict):
        doc.fault("an object")
    if doc.value:
        try:
            apply(m, parse(doc.value, kept=True))
        except BadArgument as error:
            raise error.under(*doc.loc) from None


# -- one field at a time -------------------------------------------------------------------------------------


def size(value: Any) -> int:
    """Bytes, from a number or a text such as `4G`."""
    if isinstance(value, str) and (found := re.fullmatch(r"([0-9]{1,15})([KMGTkmgt]?)", value)):
        return int(found[1]) * SUFFIXES[found[2].upper()]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise BadArgument.at((), "bytes, or a number with K, M, G or T, as 4G")


def as_text(memory: int) -> str:
    """A size with the largest suffix that leaves a whole number."""
    for suffix, unit in reversed(SUFFIXES.items()):
        if memory % unit == 0 and memory >= unit:
            return f"{memory // unit}{suffix}"
    return str(memory)


def check_memory(value: Any, profile: Profile) -> int:
    """Whole MiB that the architecture can have."""
    memory = size(value)
    least, most = profile.memory_limits
    if not least <= memory <= most or memory % MIB:
        if least == most:
            raise BadArgument.at((), f"{as_text(least)}: {profile.name} has no other size")
        raise BadArgument.at((), f"from {as_text(least)} to {as_text(most)} in steps of 1M")
    return memory


def check_movablecore(value: Any, profile: Profile) -> int:
    """Whole MiB; whether they leave the kernel anything depends on the memory."""
    memory = size(value)
    if memory % MIB:
        raise BadArgument.at((), "a multiple of 1M, or 0 for none")
    return memory


def number(most: int, value: Any) -> int:
    """A whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadArgument.at(
            (), f"a number from 1 to {most}" if most > 1 else "1: this machine cannot have more"
        )
    return value


def switch(value: Any, profile: Profile) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BadArgument.at((), "true or false")
    return value


def check_sysctl(value: Any, profile: Profile) -> dict[str, int | str]:
    """Settings by name; the call `sysctl` checks their values, once the machine stands."""
    if not isinstance(value, Mapping):
        raise BadArgument.at((), 'an object of settings, as {"min_free_kbytes": 8192}')
    return dict(value)


def check_thp(value: Any, profile: Profile) -> str:
    """Whether huge pages are set up, which keeps more memory free."""
    if value not in THP_MODES or not isinstance(value, str):
        raise BadArgument.at((), f"one of {', '.join(THP_MODES)}")
    return value


def check_hugepages(value: Any, profile: Profile) -> int:
    """Pages of 2 MiB for the pool; how many come of it depends on the memory."""
    most = profile.memory_limits[1] // HUGE_PAGE
    if type(value) is not int or not 0 <= value <= most:
        raise BadArgument.at((), f"a number of huge pages from 0 to {most}")
    return value


def check_swap(value: Any, profile: Profile) -> int:
    """Pages of a disk to which the machine swaps from boot on, with its header; 0 for none."""
    if type(value) is not int or not (value == 0 or LEAST_PAGES <= value <= MAX_PAGES):
        raise BadArgument.at((), f"0, or pages from {LEAST_PAGES} to {MAX_PAGES}")
    return value


def check_reclaim(value: Any, profile: Profile) -> bool:
    """Whether pages of processes and files are taken back when memory is short."""
    return switch(value, profile)


def check_rules(value: Any, profile: Profile) -> int:
    """A rule set that this program knows."""
    if type(value) is not int or not ruleset.FIRST <= value <= ruleset.TODAY:
        raise BadArgument.at((), f"a rule set from {ruleset.FIRST} to {ruleset.TODAY}")
    return value


def check_profile(value: Any, profile: Profile) -> str:
    """Already looked up."""
    return profile.name


FIELDS: Final[dict[str, Callable[[Any, Profile], Any]]] = {
    "profile": check_profile,
    "memory": check_memory,
    "cpus": lambda value, profile: number(MAX_CPUS[profile.arch], value),
    "nodes": lambda value, profile: number(profile.max_nodes, value),
    "movablecore": check_movablecore,
    "lecture": switch,
    "pcp": switch,
    "mobility": switch,
    "debug": switch,
    "process_caches": switch,
    "boot_caches": switch,
    "transparent_hugepage": check_thp,
    "hugepages": check_hugepages,
    "swap": check_swap,
    "reclaim": check_reclaim,
    "sysctl": check_sysctl,
    "rules": check_rules,
}
