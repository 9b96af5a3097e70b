"""Which of our objects a recorded one is: anon_vmas by address, inodes by file system and number."""

from __future__ import annotations

from app.machine.machine import Machine
from app.mm import fs
from app.mm.mm_types import AnonVma
from app.vm_recording.recorded import Key

UNKNOWN: Key = ("?", 0)


class Identities:
    """Learnt where both are seen at the same place, and then the same for as long as ours lives."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.anon_of: dict[int, AnonVma] = {}
        self.address_of: dict[int, int] = {}
        self.inode_of: dict[Key, fs.Inode] = {}
        self.key_of: dict[int, Key] = {}

    def anon(self, address: int) -> AnonVma:
        """Our anon_vma for a recorded one of the state before the first operation; made if need be."""
        found = self.anon_of.get(address)
        if found is None:
            found = AnonVma(self.m.vm.new_id())
            self.m.vm.anon_vmas[found.id] = found
            self.bind(found, address)
        return found

    def bind(self, anon_vma: AnonVma, address: int) -> None:
        """Note that they are one."""
        self.anon_of[address] = anon_vma
        self.address_of[anon_vma.id] = address

    def learn_anon(self, anon_vma: AnonVma, address: int) -> None:
        """Note it unless ours is known already, or the address belongs to another that lives."""
        bound = self.anon_of.get(address)
        if anon_vma.id in self.address_of or (bound is not None and bound.id in self.m.vm.anon_vmas):
            return
        self.bind(anon_vma, address)

    def anon_name(self, number: int) -> str:
        """The recorded address of one of our anon_vmas."""
        address = self.address_of.get(number)
        return f"our {number}" if address is None else hex(address)

    def inode(self, file_system: str, ino: int) -> fs.Inode:
        """Our inode for a recorded one; made if need be."""
        found = self.inode_of.get((file_system, ino))
        if found is None:
            found = fs.Inode(self.m.vm.new_id(), file_system, ino, f"/{ino}", 0)
            self.m.vm.mappings[found.id] = found
            self.inode_of[file_system, ino] = found
            self.key_of[found.id] = (file_system, ino)
        return found

    def learn_inode(self, inode: fs.Inode, key: Key) -> None:
        """Note the recorded name of a file that we have made ourselves."""
        known = self.key_of.get(inode.id)
        if known is None or (known[0] == key[0] == "hugetlbfs" and known[1] < 0):
            self.key_of[inode.id] = key
            self.inode_of[key] = inode

    def inode_name(self, number: int) -> Key:
        """The recorded name of one of our inodes."""
        return self.key_of.get(number, UNKNOWN)
