"""What becomes due while the emulator serves, in a loop whose time is virtual, with a clock that only the test moves."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.clock import VirtualLoop
from tests.support.factories import make_captured
from truemed_async.emulator import Emulator

DAY = 24 * 3600
MINUTE = 60


def pass_time(emulator, seconds):
    """Move the clock as time does: nobody is notified."""
    emulator.clock.restore(emulator.clock.ahead + seconds)


def run(scenario, *, after_stop=None, **options):
    """Run a coroutine function with a started emulator, and optionally another one after it has stopped."""

    async def main():
        emulator = Emulator(sessions=0, **options)
        async with emulator:
            await scenario(emulator)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if after_stop is not None:
            await after_stop(emulator)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_capture_is_paid_out_two_days_later():
    async def scenario(emulator):
        make_captured(emulator)
        for days, payouts in ((0, 0), (1, 0), (2, 1), (0, 1)):
            pass_time(emulator, days * DAY)
            await asyncio.sleep(1.5 * MINUTE)
            assert emulator.state.payouts.count == payouts

    run(scenario)


def test_review_that_outlasts_the_hold_cancels_the_order_within_a_minute():
    async def scenario(emulator):
        sessions = emulator.state.payment_sessions
        id = sessions.add(kind="authorization")
        sessions.submit(id)
        pass_time(emulator, 7 * DAY)
        await asyncio.sleep(MINUTE - 1)
        assert sessions.get(id).status == "processing"
        await asyncio.sleep(2)
        assert sessions.get(id).status == "canceled"

    run(scenario)


def test_letter_is_billed_on_thursday_and_paid_three_days_later():
    async def scenario(emulator):
        sessions = emulator.state.qualification_sessions
        id = sessions.add(status="approved", fee=15.0, lmn_reviewed_at=emulator.clock.now() - timedelta(milliseconds=1))
        seen = []
        for _ in range(11):
            pass_time(emulator, DAY)
            await asyncio.sleep(MINUTE)
            session = sessions.get(id)
            seen.append((session.stripe_invoice_number is not None, session.stripe_invoice_paid_at is not None))
        assert seen == sorted(seen)  # not billed, billed, paid
        assert seen.count((True, False)) == 3
        assert seen[-1] == (True, True)

    run(scenario)


def test_every_sales_channel_is_served():
    async def scenario(emulator):
        make_captured(emulator.sales_channels["other"])
        pass_time(emulator, 3 * DAY)
        await asyncio.sleep(MINUTE)
        assert emulator.sales_channels["other"].state.payouts.count == 1

    run(scenario, sales_channels=["other"])


def test_generated_rows_stay_as_they_were_generated():
    """Some of them are overdue: a test that reads them for longer than a minute must not see them change."""

    async def scenario(emulator):
        state = emulator.state
        before, pending = state.dump(), [row for row in state.transactions.rows if row.payout_id is None]
        await asyncio.sleep(10 * MINUTE)
        assert state.dump() == before
        assert pending
        emulator.clock.advance(0)
        assert all(row.payout_id for row in state.transactions.rows)

    run(scenario, payment_sessions=300)


def test_broken_listener_does_not_stop_the_time():
    async def scenario(emulator):
        reports = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["exception"]))
        make_captured(emulator)

        def fail(_):
            emulator.state.on_transition.remove(fail)
            raise ZeroDivisionError

        emulator.state.on_transition.append(fail)
        pass_time(emulator, 3 * DAY)
        await asyncio.sleep(MINUTE)
        assert [type(error) for error in reports] == [ZeroDivisionError]
        make_captured(emulator)
        pass_time(emulator, 3 * DAY)
        await asyncio.sleep(MINUTE)
        assert all(row.payout_id for row in emulator.state.transactions.rows)

    run(scenario)


@pytest.mark.parametrize("restarts", [0, 1])
def test_stopped_emulator_does_nothing(restarts):
    async def scenario(emulator):
        for _ in range(restarts):
            await emulator.stop()
            await emulator.start()
        make_captured(emulator)

    async def after_stop(emulator):
        pass_time(emulator, 3 * DAY)
        await asyncio.sleep(5 * MINUTE)
        assert emulator.state.payouts.count == 0

    run(scenario, after_stop=after_stop)
