"""The model of what servers carry: it follows its figures, and docs/scaling.md has its table."""

from dataclasses import replace

from tests.bench import scaling
from tests.bench.scaling import Class, Costs

COSTS = Costs(
    api_call=1e-4,
    page_call=0.02,
    database=2e-5,
    commit=2e-3,
    row_sqlite=600,
    row_postgresql=700,
    machine=2.5e5,
)


def test_the_page_has_the_table_of_the_bench() -> None:
    page = (scaling.ROOT / "docs" / "scaling.md").read_text("utf-8")
    costs = scaling.read(scaling.PAGE.read_text("utf-8"))
    assert scaling.table(costs) in page


def test_who_calls_less_or_costs_less_needs_fewer_servers() -> None:
    usual = scaling.carried(COSTS, 6)
    assert scaling.carried(COSTS, 3) >= usual
    assert scaling.carried(replace(COSTS, page_call=0.01), 6) > 1.5 * usual
    assert scaling.late(COSTS, Class(usual)) <= scaling.ANSWERED < scaling.late(COSTS, Class(usual + 1))


def test_an_hour_has_as_many_calls_as_the_class_makes() -> None:
    assert len(scaling.waits(COSTS, Class(30, 6))) == 30 * 6 * 60


def test_twice_the_students_need_twice_of_all() -> None:
    one, two = (scaling.need(COSTS, Class(n), 200) for n in (1_000, 2_000))
    assert (two.servers, two.rows, two.database, two.year) == (
        2 * one.servers, 2 * one.rows, 2 * one.database, 2 * one.year,
    )  # fmt: skip
