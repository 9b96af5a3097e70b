"""The page lock: who gets it, who sleeps, who is woken, and what a circle of sleepers looks like."""

import json

import pytest

from app.errors import TaskBlocked
from app.machine import boot, show
from app.mm.page import PG_locked, PG_waiters
from app.mm.page_ref import page_flags
from tests.support.lab import Lab, texts

SLEEPING = "BUG: sleeping function called from invalid context at include/linux/pagemap.h:1021"


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_one_task_at_a_time(lab: Lab) -> None:
    pfn = lab.alloc()
    assert lab("trylock_page", pfn=pfn).ret == 1
    assert lab("trylock_page", pfn=pfn, task="bob").ret == 0
    assert lab("unlock_page", pfn=pfn, task="bob").verdict == "ok"
    assert lab("lock_page", pfn=pfn, task="bob").verdict == "ok"
    assert lab("lock_page", pfn=pfn).changed == []


def test_locking_shows_in_what_changed(lab: Lab) -> None:
    pfn = lab.alloc(2, "GFP_KERNEL|__GFP_COMP")
    assert lab("lock_page", pfn=pfn + 1).changed == [[pfn, 4, "locked"]]
    assert lab("unlock_page", pfn=pfn + 3).changed == [[pfn, 4, "unmovable"]]


def test_a_compound_page_has_one_lock_its_head_s(lab: Lab) -> None:
    pfn = lab.alloc(1, "GFP_KERNEL|__GFP_COMP")
    lab("lock_page", pfn=pfn + 1)
    assert page_flags(lab.m, pfn) & PG_locked
    assert lab("trylock_page", pfn=pfn).ret == 0


def test_frames_of_other_blocks_have_locks_of_their_own(lab: Lab) -> None:
    pfn = lab.alloc(1)
    lab("lock_page", pfn=pfn + 1)
    assert lab("trylock_page", pfn=pfn).ret == 1
    lab("unlock_page", pfn=pfn + 1)
    lab("unlock_page", pfn=pfn)
    assert lab.m.stray == {}


def test_a_sleeping_task_can_do_nothing(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="alice")
    blocked = lab("lock_page", pfn=pfn, task="bob")
    assert (blocked.verdict, blocked.ret, blocked.deadlock) == ("blocked", None, None)
    with pytest.raises(TaskBlocked) as refusal:
        lab("alloc_pages", gfp="GFP_KERNEL", order=0, task="bob")
    assert (refusal.value.task, refusal.value.pfn, refusal.value.since) == ("bob", pfn, 3)


def test_unlock_wakes_the_shared_up_to_the_first_exclusive_and_that_one(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="owner")
    lab("wait_on_page_locked", pfn=pfn, task="s1")
    lab("wait_on_page_locked", pfn=pfn, task="s2")
    lab("lock_page", pfn=pfn, task="x1")
    lab("wait_on_page_locked", pfn=pfn, task="s3")
    lab("lock_page", pfn=pfn, task="x2")
    assert lab("unlock_page", pfn=pfn, task="owner").woken == ["s1", "s2", "x1"]
    assert page_flags(lab.m, pfn) & (PG_locked | PG_waiters) == PG_locked | PG_waiters
    assert lab("unlock_page", pfn=pfn, task="x1").woken == ["s3", "x2"]
    assert page_flags(lab.m, pfn) == PG_locked
    assert lab("unlock_page", pfn=pfn, task="x2").woken is None
    assert page_flags(lab.m, pfn) == 0


def test_anyone_may_unlock(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="alice")
    lab("lock_page", pfn=pfn, task="bob")
    assert lab("unlock_page", pfn=pfn, task="carol").woken == ["bob"]


def test_waiting_for_a_page_that_is_not_locked_returns(lab: Lab) -> None:
    pfn = lab.alloc()
    assert lab("wait_on_page_locked", pfn=pfn).verdict == "ok"
    assert page_flags(lab.m, pfn) == 0


def test_two_pages_have_two_queues(lab: Lab) -> None:
    one, two = lab.alloc(), lab.alloc()
    for pfn, task in ((one, "a"), (two, "b")):
        lab("lock_page", pfn=pfn, task="owner")
        lab("lock_page", pfn=pfn, task=task)
    assert lab("unlock_page", pfn=two).woken == ["b"]
    assert lab("unlock_page", pfn=one).woken == ["a"]


# -- deadlocks -------------------------------------------------------------------------------------


def test_a_task_can_wait_for_itself(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="alice")
    again = lab("lock_page", pfn=pfn, task="alice")
    assert again.verdict == "blocked"
    assert again.deadlock == [{"task": "alice", "waits_for": pfn, "held_by": "alice"}]
    assert again.log == []


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_circle_is_named_when_it_closes(lab: Lab, size: int) -> None:
    pages = [lab.alloc() for _ in range(size)]
    names = [f"t{number}" for number in range(size)]
    for name, pfn in zip(names, pages, strict=True):
        lab("lock_page", pfn=pfn, task=name)
    for name, pfn in zip(names[:-1], pages[1:], strict=True):
        assert lab("lock_page", pfn=pfn, task=name).deadlock is None
    closing = lab("lock_page", pfn=pages[0], task=names[-1])
    assert closing.deadlock is not None
    assert [link["task"] for link in closing.deadlock] == [names[-1], *names[:-1]]
    assert [link["held_by"] for link in closing.deadlock] == names
    assert closing.as_json(lab.m.model)["deadlock"] == closing.deadlock


def test_a_shared_waiter_is_part_of_a_circle(lab: Lab) -> None:
    one, two = lab.alloc(), lab.alloc()
    lab("lock_page", pfn=one, task="a")
    lab("lock_page", pfn=two, task="b")
    lab("wait_on_page_locked", pfn=two, task="a")
    assert lab("wait_on_page_locked", pfn=one, task="b").deadlock is not None


def test_waiting_for_a_lock_whose_taker_runs_is_no_deadlock(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="a")
    lab("lock_page", pfn=pfn, task="b")
    lab("unlock_page", pfn=pfn)
    assert lab("lock_page", pfn=pfn, task="c").deadlock is None
    assert lab("lock_page", pfn=pfn, task="b").deadlock is not None


def test_kill_task_breaks_a_circle_but_frees_no_lock(lab: Lab) -> None:
    one, two = lab.alloc(), lab.alloc()
    lab("lock_page", pfn=one, task="a")
    lab("lock_page", pfn=two, task="b")
    lab("lock_page", pfn=two, task="a")
    lab("lock_page", pfn=one, task="b")
    assert lab("kill_task", task="a").ret == 0
    assert lab("trylock_page", pfn=one, task="c").ret == 0
    assert lab("unlock_page", pfn=one, task="c").woken == ["b"]
    assert lab("unlock_page", pfn=two, task="b").woken is None


# -- killing ---------------------------------------------------------------------------------------


def test_kill_takes_a_task_out_of_the_middle_of_a_queue(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn)
    for name in ("a", "b", "c"):
        lab("lock_page", pfn=pfn, task=name)
    lab("kill_task", task="b")
    assert lab("unlock_page", pfn=pfn).woken == ["a"]
    assert lab("unlock_page", pfn=pfn).woken == ["c"]


def test_a_blocked_init_can_be_freed_by_its_killer(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="a")
    assert lab("lock_page", pfn=pfn).verdict == "blocked"
    assert lab("kill_task", task="init").ret == 0
    assert lab("page_count", pfn=pfn).ret == 1
    assert lab.m.tasks["init"].pid == 1


def test_no_such_task(lab: Lab) -> None:
    killed = lab("kill_task", task="nobody")
    assert (killed.ret, killed.verdict) == (-3, "null")
    assert "nobody" not in lab.m.tasks


def test_a_name_can_be_used_again_by_another_task(lab: Lab) -> None:
    pfn = lab.alloc(task="a")
    lab("lock_page", pfn=pfn, task="a")
    pid = lab.m.tasks["a"].pid
    lab("kill_task", task="a")
    # The new task did not take the lock that the dead one had, so it does not wait for itself.
    assert lab("lock_page", pfn=pfn, task="a").deadlock is None
    assert lab.m.tasks["a"].pid > pid


def test_the_waiters_flag_stays_until_somebody_looks(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn)
    lab("lock_page", pfn=pfn, task="a")
    lab("kill_task", task="a")
    assert page_flags(lab.m, pfn) & PG_waiters
    lab("unlock_page", pfn=pfn)
    assert not page_flags(lab.m, pfn) & PG_waiters


# -- where one must not sleep ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "count", "irqs"),
    [("atomic", "1", 0), ("softirq", "100", 0), ("tasklet", "100", 0), ("hardirq", "10000", 1)],
)
def test_lock_page_where_one_must_not_sleep(lab: Lab, context: str, count: str, irqs: int) -> None:
    pfn = lab.alloc()
    lab("trylock_page", pfn=pfn)
    outcome = lab("lock_page", pfn=pfn, task="driver", context=context)
    assert outcome.verdict == "bug"
    assert texts(outcome) == [
        SLEEPING,
        f"in_atomic(): 1, irqs_disabled(): {irqs}, non_block: 0, pid: 1001, name: driver",
        f"preempt_count: {count}, expected: 0",
        "RCU nest depth: 0, expected: 0",
        "CPU: 0 PID: 1001 Comm: driver Not tainted 6.1.192 #1",
        f"BUG: scheduling while atomic: driver/1001/0x{int(count, 16) + 1:08x}",
        "Modules linked in:",
        "CPU: 0 PID: 1001 Comm: driver Tainted: G        W          6.1.192 #1",
    ]
    assert lab.m.page_waiters == {}
    assert lab("unlock_page", pfn=pfn).woken is None


def test_the_debugging_kernel_complains_also_when_the_lock_is_free(lab: Lab) -> None:
    pfn = lab.alloc()
    outcome = lab("lock_page", pfn=pfn, context="softirq")
    assert (outcome.verdict, texts(outcome)[0]) == ("bug", SLEEPING)
    assert lab("trylock_page", pfn=pfn).ret == 0


def test_debian_s_kernel_complains_only_when_it_would_sleep() -> None:
    lab = Lab(debug=False)
    pfn = lab.alloc()
    assert lab("lock_page", pfn=pfn, context="hardirq").verdict == "ok"
    outcome = lab("lock_page", pfn=pfn, context="hardirq")
    assert (outcome.verdict, texts(outcome)[0]) == ("bug", "BUG: scheduling while atomic: init/1/0x00010001")


def test_trylock_is_for_every_context(lab: Lab) -> None:
    assert lab("trylock_page", pfn=lab.alloc(), context="hardirq").verdict == "ok"


# -- mistakes with locks ---------------------------------------------------------------------------


def test_unlocking_twice_is_a_bug_of_the_debugging_kernel(lab: Lab) -> None:
    pfn = lab.alloc()
    outcome = lab("unlock_page", pfn=pfn)
    assert outcome.verdict == "bug"
    assert "page dumped because: VM_BUG_ON_FOLIO(!folio_test_locked(folio))" in texts(outcome)
    assert "kernel BUG at mm/filemap.c:1552!" in texts(outcome)
    assert outcome.page is not None
    assert outcome.page["pfn"] == pfn


def test_unlocking_twice_is_silent_elsewhere() -> None:
    lab = Lab(debug=False)
    outcome = lab("unlock_page", pfn=lab.alloc())
    assert (outcome.verdict, outcome.log) == ("ok", [])


def test_a_page_freed_while_locked_is_lost_and_can_still_be_unlocked(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="a")
    lab("lock_page", pfn=pfn, task="b")
    freed = lab("__free_page", pfn=pfn)
    assert freed.verdict == "bug"
    assert "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set" in texts(freed)
    assert (freed.changed, lab.m.lost) == ([[pfn, 1, "locked"]], 1)
    assert lab("unlock_page", pfn=pfn).woken == ["b"]


def test_debian_s_kernel_forgets_the_lock_of_a_freed_page() -> None:
    lab = Lab(debug=False)
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn, task="a")
    lab("lock_page", pfn=pfn, task="b")
    freed = lab("__free_page", pfn=pfn)
    assert (freed.verdict, freed.log) == ("ok", [])
    assert lab.alloc() == pfn
    # Nothing tells the next unlock that somebody still waits, until somebody else does.
    lab("lock_page", pfn=pfn, task="c")
    assert lab("unlock_page", pfn=pfn, task="c").woken is None
    lab("lock_page", pfn=pfn, task="c")
    lab("wait_on_page_locked", pfn=pfn, task="d")
    assert lab("unlock_page", pfn=pfn, task="c").woken == ["b"]
    assert lab("unlock_page", pfn=pfn, task="b").woken == ["d"]


def test_a_dump_keeps_the_queue_and_its_order(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("lock_page", pfn=pfn)
    for name in ("z", "a", "m"):
        lab("lock_page", pfn=pfn, task=name)
    again = Lab(boot.load(json.loads(json.dumps(lab.m.dump()))))
    assert again.m.dump() == lab.m.dump()
    # In a session of its own, seqs begin anew; the queue keeps its order.
    again("lock_page", pfn=pfn, task="n")
    assert [again("unlock_page", pfn=pfn).woken for _ in range(4)] == [["z"], ["a"], ["m"], ["n"]]


def test_the_view_of_tasks_says_what_they_hold_and_wait_for(lab: Lab) -> None:
    one, two = lab.alloc(), lab.alloc()
    lab("lock_page", pfn=two, task="a")
    lab("lock_page", pfn=one, task="a")
    lab("wait_on_page_locked", pfn=two, task="b")
    views = {view["name"]: view for view in show.tasks(lab.m)["tasks"]}
    assert views["a"] == {
        "name": "a", "pid": 1001, "holds": [one, two], "holds_count": 2, "waiting_for": None,
        "waits_in": None, "since": None, "comm": "a", "parent": 0, "mm": None, "rss": None,
        "faults": {"min": 0, "maj": 0}, "oom_score": 0, "fds": [], "fds_count": 0,
    }  # fmt: skip
    b = views["b"]
    assert (b["holds"], b["waiting_for"], b["waits_in"], b["since"]) == ([], two, "wait_on_page_locked", 5)
