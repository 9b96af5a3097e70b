"""Reports of failed allocations as kernels of several ages print them; numbers after public bug reports.

Written here in the kernels' forms, shortened: names of hosts, processes and modules are made up.
"""

from typing import Final


def listed(counts: str) -> str:
    """The free blocks of a zone: a number and letters for each order, with commas between."""
    words = [count.split() for count in counts.split(", ")]
    words += [["0"]] * (11 - len(words))
    total = sum(int(word[0]) * (4 << order) for order, word in enumerate(words))
    parts = [
        f"{word[0]}*{4 << order}kB" + (f" ({word[1]})" if len(word) > 1 else "")
        for order, word in enumerate(words)
    ]
    return f"{' '.join(parts)} = {total}kB"


# 3.10, one node, before masks were printed by name: the stamp of a log, and per-CPU lines.
OLD: Final = f"""\
kernel: [85531.010995] sh: page allocation failure: order:4, mode:0x2040d0
kernel: [85531.011000] CPU: 1 PID: 20846 Comm: sh Not tainted 3.10.0-693.el7.x86_64 #1
kernel: [85531.011010] Call Trace:
kernel: [85531.011018]  [<ffffffff816a3e1d>] dump_stack+0x19/0x1b
kernel: [85531.011090] Mem-Info:
kernel: [85531.011091] Node 0 DMA per-cpu:
kernel: [85531.011092] CPU    0: hi:    0, btch:   1 usd:   0
kernel: [85531.011100] Node 0 DMA free:15900kB min:132kB low:164kB high:196kB active_anon:0kB \
present:15992kB \
managed:15908kB mlocked:0kB all_unreclaimable? yes
kernel: [85531.011101] lowmem_reserve[]: 0 2815 7823 7823
kernel: [85531.011102] Node 0 DMA32 free:45160kB min:24256kB low:30320kB high:36384kB active_anon:0kB \
present:3129216kB managed:2884652kB mlocked:0kB
kernel: [85531.011103] lowmem_reserve[]: 0 0 5008 5008
kernel: [85531.011104] Node 0 Normal free:60352kB min:43180kB low:53972kB high:64768kB active_anon:0kB \
present:5242880kB managed:5128776kB mlocked:0kB
kernel: [85531.011105] lowmem_reserve[]: 0 0 0 0
kernel: [85531.011106] Node 0 DMA: {listed("1 U, 1 U, 1 U, 2 U, 3 U, 0, 1 U, 0, 1 U, 1 R, 3 M")}
kernel: [85531.011107] Node 0 DMA32: {listed("3530 UEM, 3880 UEM")}
kernel: [85531.011108] Node 0 Normal: {listed("15088 UEM")}
kernel: [85531.011109] 94912 total pagecache pages
"""

# 4.4, the mask by number alone: in the bits of 4.4 it is GFP_HIGHUSER_MOVABLE.
FOUR: Final = f"""\
[   77.1] mysqld invoked oom-killer: gfp_mask=0x24201ca, order=0, oom_score_adj=0
[   77.1] mysqld cpuset=/ mems_allowed=0
[   77.1] CPU: 0 PID: 1183 Comm: mysqld Not tainted 4.4.0-210-generic #242-Ubuntu
[   77.2] Node 0 DMA free:4524kB min:704kB low:880kB high:1056kB active_anon:3012kB present:15992kB \
managed:15908kB
[   77.2] lowmem_reserve[]: 0 939 939 939 939
[   77.2] Node 0 DMA32 free:43920kB min:44348kB low:55432kB high:66520kB active_anon:800kB \
present:1032192kB \
managed:987612kB
[   77.2] lowmem_reserve[]: 0 0 0 0 0
[   77.2] Node 0 DMA: {listed("13 UME, 6 UME, 4 UE, 4 UME, 4 UE, 3 UE, 3 UE, 2 E, 1 M, 0, 0")}
[   77.2] Node 0 DMA32: {listed("652 UME, 1182 UME, 570 UME, 242 UM, 63 UM, 14 M, 6 M, 3 M")}
[   77.2] 3541 total pagecache pages
[   77.3] Out of memory: Kill process 1183 (mysqld) score 121 or sacrifice child
"""

# 5.4 by name, a costly order, and journald's stamp.
FIVE: Final = f"""\
Apr 20 15:08:07 host kernel: kworker/u16:3: page allocation failure: order:4, \
mode:0x40dc0(GFP_KERNEL|__GFP_COMP|\
__GFP_ZERO), nodemask=(null),cpuset=/,mems_allowed=0
Apr 20 15:08:07 host kernel: CPU: 1 PID: 1333536 Comm: kworker/u16:3 Not tainted 5.4.19-100.fc30.x86_64 #1
Apr 20 15:08:07 host kernel: Workqueue: nvme-wq nvme_scan_work [nvme_core]
Apr 20 15:08:07 host kernel: Node 0 DMA free:15896kB min:24kB low:36kB high:48kB reserved_highatomic:0KB \
present:15992kB managed:15908kB mlocked:0kB free_cma:0kB
Apr 20 15:08:07 host kernel: lowmem_reserve[]: 0 2889 11838 11838 11838
Apr 20 15:08:07 host kernel: Node 0 DMA32 free:50968kB min:16480kB low:20600kB high:24720kB \
reserved_highatomic:2048KB present:3129188kB managed:2963652kB mlocked:0kB
Apr 20 15:08:07 host kernel: lowmem_reserve[]: 0 0 8949 8949 8949
Apr 20 15:08:07 host kernel: Node 0 Normal free:53104kB min:51044kB low:63804kB high:76564kB \
reserved_highatomic:0KB present:9437184kB managed:9164004kB mlocked:0kB
Apr 20 15:08:07 host kernel: lowmem_reserve[]: 0 0 0 0 0
Apr 20 15:08:07 host kernel: Node 0 DMA: {listed("0, 1 U, 1 U, 0, 2 U, 1 U, 1 U, 0, 1 U, 1 M, 3 M")}
Apr 20 15:08:07 host kernel: Node 0 DMA32: {listed("4220 UMEH, 2411 UMEH, 829 UMEH, 46 UMH, 1 H")}
Apr 20 15:08:07 host kernel: Node 0 Normal: {listed("9042 UME, 2117 UME")}
"""

# 6.1 on a board with CMA: no node is named, marks have a boost.
BOARD: Final = f"""\
[  492.6] dd invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[  492.6] CPU: 2 PID: 812 Comm: dd Tainted: G         C         6.1.21-v7l+ #1642
[  492.6] DMA free:519112kB boost:7216kB min:10428kB low:11228kB high:12028kB reserved_highatomic:0KB \
present:786432kB managed:663836kB mlocked:0kB free_cma:513592kB
[  492.6] lowmem_reserve[]: 0 0 3188 3188
[  492.6] HighMem free:2011040kB boost:0kB min:512kB low:4452kB high:8392kB reserved_highatomic:0KB \
present:3264512kB managed:3264512kB mlocked:0kB free_cma:0kB
[  492.6] lowmem_reserve[]: 0 0 0 0
[  492.6] DMA: {listed("142 UEC, 161 UEC, 59 UEC, 51 UEC, 18 UEC, 2 UC, 1 C, 0, 1 C, 0, 125 C")}
[  492.6] HighMem: {listed("3 UM, 5 UM, 0, 2 UM, 1 M, 0, 1 M, 2 M, 1 M, 2 M, 489 M")}
"""

# 6.8: more words in the lines, two nodes, a movable zone.
SIX: Final = f"""\
[ 5.0] mlx5_health: page allocation failure: order:10, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), \
nodemask=(null),cpuset=/,mems_allowed=0-1
[ 5.0] CPU: 63 PID: 911 Comm: mlx5_health Kdump: loaded Tainted: G           OE      6.8.0-45-generic \
#45-Ubuntu
[ 5.1] Node 0 DMA32 free:225280kB boost:0kB min:1460kB low:3064kB high:4668kB reserved_highatomic:0KB \
free_highatomic:0KB present:1736704kB managed:1605632kB mlocked:0kB
[ 5.1] lowmem_reserve[]: 0 0 61912 61912 61912
[ 5.1] Node 0 Normal free:31064kB boost:30720kB min:88404kB low:151800kB high:215196kB \
reserved_highatomic:4096KB free_highatomic:2016KB present:64487424kB managed:63397888kB mlocked:0kB
[ 5.1] lowmem_reserve[]: 0 0 0 0 0
[ 5.1] Node 1 Normal free:44000kB boost:0kB min:58300kB low:124300kB high:190300kB \
reserved_highatomic:0KB free_highatomic:0KB present:67108864kB managed:66000000kB mlocked:0kB
[ 5.1] lowmem_reserve[]: 0 0 0 0 0
[ 5.1] Node 0 DMA32: {listed("0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 55 M")}
[ 5.1] Node 0 Normal: {listed("5250 UMEH, 986 UMEH, 117 UMEH, 9 H")}
[ 5.1] Node 1 Normal: {listed("10000 UME, 500 UME")}
"""

# A line of one zone in pages of 64 KiB, as arm64 may have them.
LARGE_PAGES: Final = (
    "[1.0] a: page allocation failure: order:3, mode:0xcc0(GFP_KERNEL)\n"
    "[1.0] Node 0 Normal: 10*64kB (U) 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB 0*8192kB = 640kB\n"
)

# Of a memory cgroup: nothing about zones.
CGROUP: Final = """\
[ 9.0] python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=986
[ 9.0] CPU: 3 PID: 71 Comm: python3 Not tainted 5.15.0-91-generic #101-Ubuntu
[ 9.0] memory: usage 524288kB, limit 524288kB, failcnt 1201
[ 9.0] Memory cgroup out of memory: Killed process 71 (python3)
"""

# By release: the text, the zones' marks in pages, and the request as a line of the console.
REPORTS: Final = {
    "3.10": (
        OLD,
        [[33, 41, 49], [6064, 7580, 9096], [10795, 13493, 16192]],
        "sh: alloc_pages(GFP_KERNEL|__GFP_COMP, 4)",
    ),
    "4.4": (FOUR, [[176, 220, 264], [11087, 13858, 16630]], "mysqld: alloc_pages(GFP_HIGHUSER_MOVABLE, 0)"),
    "5.4": (
        FIVE,
        [[6, 9, 12], [4120, 5150, 6180], [12761, 15951, 19141]],
        "kworker_u16_3: alloc_pages(GFP_KERNEL|__GFP_COMP|__GFP_ZERO, 4)",
    ),
    "6.1": (BOARD, [[2607, 2807, 3007], [128, 1113, 2098]], "dd: alloc_pages(GFP_KERNEL, 0)"),
    "6.8": (
        SIX,
        [[365, 766, 1167], [22101, 37950, 53799], [14575, 31075, 47575]],
        "mlx5_health: alloc_pages(GFP_KERNEL|__GFP_COMP, 10)",
    ),
}
