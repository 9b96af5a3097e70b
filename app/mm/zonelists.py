"""In which order a node's CPUs try the zones of the machine. Kernel: mm/page_alloc.c build_zonelists"""

from __future__ import annotations

from typing import Final

from app.mm.mmzone import Node, Zone

REMOTE_DISTANCE: Final = 20
MAX_NUMNODES: Final = 1024


def build_all_zonelists(zones: list[Zone], nr_nodes: int, cpu_node: list[int]) -> list[Node]:
    """The nodes with their zonelists. cpu_node: node of each CPU.

    A node's own zones come first, down to its DMA zone: memory far away is slow every time it is used,
    while a low zone is protected well enough by its reserve.
    """
    node_load = [0] * nr_nodes
    nodes = []
    for nid in range(nr_nodes):
        order = node_order(nid, node_load, cpu_node)
        zonelist = [zone for near in order for zone in node_zones(zones, near)]
        nodes.append(Node(nid, zonelist, node_zones(zones, nid)))
    return nodes


def node_zones(zones: list[Zone], nid: int) -> list[Zone]:
    """A node's populated zones, highest first."""
    return sorted((zone for zone in zones if zone.nid == nid), key=lambda zone: -zone.zid)


def node_order(local: int, node_load: list[int], cpu_node: list[int]) -> list[int]:
    """All nodes from the nearest to the farthest, as seen from one.

    The one that comes first after it gets a mark in `node_load`, so that the next nodes rather go elsewhere.
    """
    order = [local]
    while len(order) < len(node_load):
        best = find_next_best_node(local, order, node_load, cpu_node)
        if len(order) == 1:
            node_load[best] += 1
        order.append(best)
    return order


def find_next_best_node(local: int, used: list[int], node_load: list[int], cpu_node: list[int]) -> int:
    """The nearest node that is left.

    Of equally near ones the next in number, rather one without CPUs, and the one least in demand by others.

    Kernel: find_next_best_node
    """
    left = [nid for nid in range(len(node_load)) if nid not in used]
    return min(
        left,
        key=lambda nid: (REMOTE_DISTANCE + (nid < local) + (nid in cpu_node)) * MAX_NUMNODES + node_load[nid],
    )
