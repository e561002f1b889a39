"""Mailboxes lose nothing and keep order; a lease that is over gives nothing."""

import threading
from collections import deque
from itertools import count

import pykka.messages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.envelope import Envelope
from actors.core.mailbox import Delivery, EndOfLease, Lease, Mailbox
from tests.core.helpers import PATIENCE_S, Note

_ids = count(1)


def letter(value: object, sent_ns: int = 0) -> Envelope:
    number = next(_ids)
    return Envelope(
        message=Note(value=value),
        message_id=number,
        parent_id=None,
        trace_id=number,
        sender="test",
        sender_generation=0,
        receiver="box",
        sent_ns=sent_ns,
    )


def taken(lease: Lease) -> object:
    delivery = lease.get()
    assert isinstance(delivery.message, Envelope)
    return delivery.message.message.value


def stop_of(name: str) -> Delivery:
    return Delivery(name)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_messages_are_taken_first_in_first_out(mailbox):
    lease = mailbox.lease(1)
    for value in range(5):
        mailbox.put(letter(value))

    assert [taken(lease) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_what_waited_before_any_lease_is_found_by_the_first(mailbox):
    mailbox.put(letter("early"))

    lease = mailbox.lease(1)

    assert taken(lease) == "early"


def test_what_a_lease_did_not_take_is_found_by_the_next_before_what_came_later(mailbox):
    first = mailbox.lease(1)
    for value in range(4):
        mailbox.put(letter(value))
    assert taken(first) == 0

    second = mailbox.lease(2)
    mailbox.put(letter(4))

    assert [taken(second) for _ in range(4)] == [1, 2, 3, 4]


def test_a_revoked_lease_gives_its_end_though_mail_waits(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("waits"))

    lease.revoke()

    assert isinstance(lease.get().message, EndOfLease)
    assert lease.empty()
    assert mailbox.depth == 1


def test_a_new_lease_revokes_the_old_one(mailbox):
    old = mailbox.lease(1)

    new = mailbox.lease(2)

    assert old.is_revoked
    assert old.is_over
    assert not new.is_revoked
    assert not new.is_over


def test_an_ended_lease_takes_nothing_more_but_is_not_revoked(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("waits"))

    lease.end()

    assert mailbox.take(lease) is None
    assert not lease.is_revoked
    assert mailbox.depth == 1


def test_a_drained_inbox_eats_nothing_of_the_successor(mailbox):
    old = mailbox.lease(1)
    new = mailbox.lease(2)
    mailbox.put(letter("mail"))
    old.put(stop_of("for the old one"))
    new.put(stop_of("for the new one"))

    drained = []
    while not old.empty():  # as Pykka's teardown does
        drained.append(old.get().message)

    assert drained == ["for the old one"]
    assert taken(new) == "mail"
    assert new.get().message == "for the new one"


def test_a_stop_comes_after_what_was_put_before_it_and_before_what_comes_later(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("before"))
    lease.put(Delivery(pykka.messages._ActorStop()))
    mailbox.put(letter("after"))

    assert taken(lease) == "before"
    assert isinstance(lease.get().message, pykka.messages._ActorStop)
    assert taken(lease) == "after"


def test_two_stops_are_both_delivered(mailbox):
    lease = mailbox.lease(1)
    lease.put(stop_of("one"))
    lease.put(stop_of("two"))

    assert [lease.get().message, lease.get().message] == ["one", "two"]
    assert lease.empty()


@pytest.mark.parametrize("wake", ["put", "revoke", "stop"])
def test_a_waiting_holder_is_woken(mailbox, wake):
    lease = mailbox.lease(1)
    found = []
    holder = threading.Thread(target=lambda: found.append(lease.get()), daemon=True)
    holder.start()

    if wake == "put":
        mailbox.put(letter("mail"))
    elif wake == "revoke":
        lease.revoke()
    else:
        lease.put(stop_of("stop"))

    holder.join(PATIENCE_S)
    assert len(found) == 1


def test_the_message_at_hand_is_returned_once_by_whatever_ends_the_lease(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("at hand"))
    taken(lease)

    unfinished = lease.revoke()

    assert unfinished is not None
    assert unfinished.message == Note(value="at hand")
    assert lease.end() is None


def test_the_newest_value_takes_the_place_of_the_older_in_the_queue(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("first"))
    mailbox.put_latest("BTC", letter("BTC 1"))
    mailbox.put_latest("ETH", letter("ETH 1"))
    mailbox.put(letter("last"))

    is_taken, displaced = mailbox.put_latest("BTC", letter("BTC 2"))

    assert is_taken
    assert displaced is not None
    assert displaced.message == Note(value="BTC 1")
    assert mailbox.depth == 4
    assert [taken(lease) for _ in range(4)] == ["first", "BTC 2", "ETH 1", "last"]


def test_a_value_whose_older_one_was_taken_waits_at_the_end(mailbox):
    lease = mailbox.lease(1)
    mailbox.put_latest("BTC", letter("BTC 1"))
    at_hand = lease.get().message
    mailbox.put(letter("between"))

    _, displaced = mailbox.put_latest("BTC", letter("BTC 2"))

    assert displaced is None
    assert at_hand.message == Note(value="BTC 1")
    assert [taken(lease) for _ in range(2)] == ["between", "BTC 2"]


def test_conflation_goes_on_over_a_change_of_leases(mailbox):
    mailbox.lease(1)
    mailbox.put_latest("BTC", letter("BTC 1"))
    second = mailbox.lease(2)
    mailbox.put_latest("BTC", letter("BTC 2"))
    mailbox.put(letter("last"))

    assert [taken(second) for _ in range(2)] == ["BTC 2", "last"]


def test_a_plain_message_is_never_displaced(mailbox):
    mailbox.put(letter("plain"))
    mailbox.put_latest("key", letter("keyed"))

    lease = mailbox.lease(1)

    assert [taken(lease) for _ in range(2)] == ["plain", "keyed"]


def test_a_closed_mailbox_hands_out_what_waited_and_takes_nothing_in(mailbox):
    lease = mailbox.lease(1)
    mailbox.put(letter("plain"))
    mailbox.put_latest("key", letter("old"))
    mailbox.put_latest("key", letter("new"))

    left = mailbox.close()

    assert [envelope.message.value for envelope in left] == ["plain", "new"]
    assert not mailbox.put(letter("late"))
    assert mailbox.put_latest("key", letter("late")) == (False, None)
    assert mailbox.take(lease) is None
    assert mailbox.close() == []


def test_depth_and_age_tell_of_what_waits(mailbox):
    lease = mailbox.lease(1)
    assert (mailbox.depth, mailbox.oldest_sent_ns()) == (0, None)
    mailbox.put(letter("a", sent_ns=10))
    mailbox.put(letter("b", sent_ns=20))
    assert (mailbox.depth, mailbox.oldest_sent_ns()) == (2, 10)

    taken(lease)

    assert (mailbox.depth, mailbox.oldest_sent_ns()) == (1, 20)


ACTS = st.one_of(
    st.tuples(st.just("put"), st.none()),
    st.tuples(st.just("latest"), st.sampled_from(["BTC", "ETH"])),
    st.tuples(st.just("take"), st.none()),
    st.tuples(st.just("lease"), st.none()),
)


@given(acts=st.lists(ACTS, max_size=60))
def test_any_order_of_acts_gives_what_a_plain_list_gives(acts):
    mailbox, lease = Mailbox(), None
    model: deque[list[object]] = deque()
    for number, (act, key) in enumerate(acts):
        if act == "put":
            mailbox.put(letter(number))
            model.append([None, number])
        elif act == "latest":
            mailbox.put_latest(key, letter(number))
            waiting = next((slot for slot in model if slot[0] == key), None)
            if waiting is None:
                model.append([key, number])
            else:
                waiting[1] = number
        elif act == "lease":
            lease = mailbox.lease(number)
        elif lease is not None and model:
            assert taken(lease) == model.popleft()[1]
        assert mailbox.depth == len(model)

    rest = mailbox.lease(len(acts))

    assert [taken(rest) for _ in range(len(model))] == [slot[1] for slot in model]


def test_many_senders_and_changing_leases_lose_and_double_nothing(mailbox):
    senders, each = 8, 400
    leases = [mailbox.lease(0)]
    found: list[tuple[int, int]] = []

    def send(sender: int) -> None:
        for number in range(each):
            mailbox.put(letter((sender, number)))

    def hold() -> None:
        while len(found) < senders * each:
            delivery = leases[-1].get()
            if isinstance(delivery.message, Envelope):
                found.append(delivery.message.message.value)
                if len(found) % 50 == 0:
                    leases.append(mailbox.lease(len(found)))

    threads = [threading.Thread(target=send, args=(n,), daemon=True) for n in range(senders)]
    threads.append(threading.Thread(target=hold, daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert len(found) == senders * each
    for sender in range(senders):
        assert [n for s, n in found if s == sender] == list(range(each))
