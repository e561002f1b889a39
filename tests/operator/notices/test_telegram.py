"""Telegram's channel before a server that answers like the Bot API, and fails like it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loguru import logger
from telegram.ext import AIORateLimiter

from domain.operator.commands import CommandName
from domain.operator.notices import NoticeKind
from infra.operator.notices.authority import Authority
from infra.operator.notices.channels import Channels
from infra.operator.notices.commands import Answer, Button
from infra.operator.notices.telegram import TelegramBot, TelegramSender, _marked_up, cut
from infra.operator.notices.telegram_inbox import TelegramInbox
from infra.settings import load_settings
from tests.operator.notices.bot_api import TOKEN, BotApi, has_secret, plain_of, running_bot_api
from tests.operator.notices.helpers import carried, journals_in, notice, statuses

ADMIN = "77"


@pytest.fixture(scope="module")
def server() -> Iterator[BotApi]:
    with running_bot_api() as api:
        yield api


@pytest.fixture
def api(server: BotApi) -> BotApi:
    server.sent.clear()
    server.faults.clear()
    server.attempts = server.refusals = 0
    server.is_refusing = False
    server.calls.clear()
    server.refused_calls.clear()
    return server


@pytest.fixture
def bot(api: BotApi) -> Iterator[TelegramBot]:
    bot = TelegramBot(TOKEN, api.url, answer_s=0.5)
    yield bot
    bot.close()


def test_a_notice_arrives_once_with_its_title_in_bold(
    tmp_path: Path, api: BotApi, bot: TelegramBot
) -> None:
    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (_, outbox):
        outbox.put(notice("a"))
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        api.wait_for(lambda: len(api.sent) == 2)

    assert api.texts() == ["title a\nbody a", "title b\nbody b"]
    assert api.sent[0].is_bold
    assert api.attempts == 2


@pytest.mark.parametrize(
    ("fault", "is_marked"),
    [("429", False), ("502", True), ("hang", True), ("cut", True), ("processed-502", True)],
)
def test_what_did_not_arrive_is_sent_again_in_order_and_marked_where_it_may_have_arrived(
    tmp_path: Path, api: BotApi, bot: TelegramBot, fault: str, is_marked: bool
) -> None:
    api.faults.append(fault)

    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (_, outbox):
        for name in "abc":
            outbox.put(notice(name))
        api.wait_for(lambda: any("title c" in text for text in api.texts()))

    texts = api.texts()
    assert [text[6] for text in texts if "again" not in text or fault != "processed-502"] == [
        "a",
        "b",
        "c",
    ]
    again = [text for text in texts if "(again: it may have arrived before)" in text]
    assert again == (["title a\nbody a\n(again: it may have arrived before)"] if is_marked else [])


def test_a_server_that_is_not_there_gets_the_notice_unmarked_once_it_is(
    tmp_path: Path, api: BotApi
) -> None:
    journals = journals_in(tmp_path)
    nobody = TelegramBot(TOKEN, "http://127.0.0.1:9", answer_s=0.5)
    with carried(journals, TelegramSender(nobody, ADMIN)) as (carrier, outbox):
        outbox.put(notice("a"))
        carrier.close(0.2)
    nobody.close()

    bot = TelegramBot(TOKEN, api.url, answer_s=0.5)
    with carried(journals, TelegramSender(bot, ADMIN)):
        api.wait_for(lambda: api.sent)
    bot.close()

    assert api.texts() == ["title a\nbody a"]


def test_bad_markup_falls_back_to_plain_text(tmp_path: Path, api: BotApi, bot: TelegramBot) -> None:
    api.faults.append("400")

    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (_, outbox):
        outbox.put(notice("a"))
        api.wait_for(lambda: api.sent)

    assert [(sent.text, sent.is_bold) for sent in api.sent] == [("title a\nbody a", False)]


def test_a_notice_that_is_refused_for_ever_does_not_hold_up_the_next(
    tmp_path: Path, api: BotApi, bot: TelegramBot
) -> None:
    api.faults.extend(["400", "400"])
    journals = journals_in(tmp_path)

    with carried(journals, TelegramSender(bot, ADMIN)) as (_, outbox):
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        api.wait_for(lambda: api.sent)

    assert api.texts() == ["title b\nbody b"]
    assert statuses(journals, "REFUSED") == 1


@pytest.mark.parametrize("fault", ["401", "403"])
def test_a_refused_token_is_told_and_tried_again_until_it_is_taken(
    tmp_path: Path, api: BotApi, bot: TelegramBot, fault: str
) -> None:
    api.faults.extend([fault] * 3)
    told: list[tuple[str, str | None]] = []
    heard = threading.Event()

    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (carrier, outbox):
        carrier._on_trouble = lambda *what: (told.append(what), heard.set())
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        assert heard.wait(30)
        assert carrier.trouble is not None
        api.wait_for(lambda: len(api.sent) == 2)
        carrier.close(10.0)
        assert carrier.trouble is None

    assert api.texts() == ["title a\nbody a", "title b\nbody b"]
    assert [channel for channel, _ in told] == ["telegram", "telegram"]
    assert told[0][1] is not None
    assert "orbidden" in told[0][1] if fault == "403" else "Unauthorized" in told[0][1]
    assert told[1][1] is None


def test_the_token_is_never_logged_nor_shown(tmp_path: Path, api: BotApi) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="TRACE", diagnose=False)
    api.faults.extend(["502", "cut", "hang", "429", "400", "401"])
    bot = TelegramBot(TOKEN, api.url, answer_s=0.3)
    done = threading.Event()

    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (carrier, outbox):
        carrier._on_trouble = lambda *_: done.set()
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        assert done.wait(30)
    shown = repr(bot) + repr(bot.plain(ValueError(f"https://x/bot{TOKEN}/sendMessage")))
    bot.close()
    logger.remove(sink)

    assert lines
    assert not [line for line in (*lines, shown) if has_secret(line)]


@settings(max_examples=60)
@given(st.text(st.sampled_from("<>&;/b\n") | st.characters(), min_size=1).filter(str.strip))
@example("title <b>&\nbody </b> & <")
def test_no_character_breaks_a_message(text: str) -> None:
    assert plain_of(_marked_up(text)) == cut(text)


@pytest.mark.parametrize("text", ["<b>&amp;</b>\n_*[](){}~`>#+-=|.!", "a" * 5000, "🟢 <\n&", "x\n"])
def test_odd_texts_arrive_as_they_are(
    tmp_path: Path, api: BotApi, bot: TelegramBot, text: str
) -> None:
    with carried(journals_in(tmp_path), TelegramSender(bot, ADMIN)) as (_, outbox):
        outbox.put(notice("a", text=text))
        api.wait_for(lambda: api.sent)

    assert api.texts() == [cut(text)]


def test_a_group_gets_no_more_than_its_limit(tmp_path: Path, api: BotApi) -> None:
    # Two a second here, to be quick; the limits of the library itself are Telegram's.
    bot = TelegramBot(
        TOKEN, api.url, limiter=lambda: AIORateLimiter(group_max_rate=2, group_time_period=1)
    )
    with carried(journals_in(tmp_path), TelegramSender(bot, "-100123")) as (_, outbox):
        for name in "abcd":
            outbox.put(notice(name))
        api.wait_for(lambda: len(api.sent) == 4)
    bot.close()

    assert api.sent[3].at_s - api.sent[0].at_s >= 0.5
    assert AIORateLimiter()._base_limiter.max_rate == 30
    assert (AIORateLimiter()._group_max_rate, AIORateLimiter()._group_time_period) == (20, 60)


def test_the_notices_of_a_dead_process_are_marked_where_their_sending_had_begun(
    tmp_path: Path, api: BotApi, bot: TelegramBot
) -> None:
    journals = journals_in(tmp_path)
    api.faults.append("hang")
    with carried(journals, TelegramSender(bot, ADMIN)) as (carrier, outbox):
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        api.wait_for(lambda: api.attempts == 1)
        carrier.close(0.0)

        with carried(journals, TelegramSender(bot, ADMIN)):
            api.wait_for(lambda: len(api.sent) >= 2)

    assert api.texts()[0].endswith("(again: it may have arrived before)")
    assert api.texts()[1] == "title b\nbody b"


@pytest.fixture
def inbox(api: BotApi, bot: TelegramBot) -> Iterator[tuple[TelegramInbox, list, list]]:
    asked: list[tuple[str, str]] = []
    strangers: list[str] = []

    def handle(who: str, text: str) -> Answer:
        asked.append((who, text))
        if text == "boom":
            raise RuntimeError("boom")
        buttons = (Button(label="Yes", text="panic yes"),) if text == "panic" else ()
        return Answer(text=f"{text} <done>", buttons=buttons)

    authority = Authority(chat_id=int(ADMIN), user_ids=frozenset())
    inbox = TelegramInbox(bot, authority, handle, on_stranger=strangers.append, poll_s=1)
    api.updates.clear()
    inbox.start()
    yield inbox, asked, strangers
    inbox.close()


def test_the_admin_is_answered_and_may_press_a_button(api: BotApi, inbox: tuple) -> None:
    _, asked, _ = inbox

    api.write("panic")
    api.wait_for(lambda: len(api.sent) == 1)
    api.press("panic yes")
    api.wait_for(lambda: len(api.sent) == 2)

    assert asked == [("telegram/77", "panic"), ("telegram/77", "panic yes")]
    assert api.texts() == ["panic <done>", "panic yes <done>"]
    assert '"callback_data": "panic yes"' in api.sent[0].keyboard


def test_a_stranger_gets_no_answer_and_is_told_of_once(api: BotApi, inbox: tuple) -> None:
    box, asked, strangers = inbox

    api.write("close all", chat=666)
    api.press("panic yes", chat=667)
    api.write("status")
    api.wait_for(lambda: api.sent)

    assert asked == [("telegram/77", "status")]
    assert strangers == ["Chat 666"]
    assert box.strangers == 2
    assert api.texts() == ["status <done>"]


@contextmanager
def channels_of(
    folder: Path, api: BotApi, told: list[tuple[str, ...]], **environ: str
) -> Iterator[Channels]:
    """Run the channels of a system that answers each command with its own words."""
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_ADMIN_CHAT_ID": ADMIN,
        "TELEGRAM_SERVER": api.url,
        **environ,
    }
    api.updates.clear()
    channels = Channels(
        load_settings(None, environ=environ, dotenv=None).notifications,
        journals_in(folder),
        mode="sim",
        rng=Random(1),
        is_well=lambda: True,
        on_system=lambda *words: told.append(words),
        handle_command=lambda _who, text: Answer(text=text),
    )
    channels.start()
    try:
        yield channels
    finally:
        channels.close(5.0)


def test_strangers_are_counted_among_what_was_refused(tmp_path: Path, api: BotApi) -> None:
    told: list[tuple[str, ...]] = []
    with channels_of(tmp_path, api, told) as channels:
        api.write("close all", chat=666)
        api.write("panic", chat=667)
        api.write("status")
        api.wait_for(lambda: api.sent)

    assert channels.refused() == {("telegram", "stranger"): 2, ("telegram", "unreadable"): 0}
    assert [key for key, *_ in told] == ["stranger"]


def test_a_revoked_token_is_shown_and_all_goes_on_once_it_is_taken_again(
    tmp_path: Path, api: BotApi
) -> None:
    told: list[tuple[str, ...]] = []
    api.is_refusing = True
    with channels_of(tmp_path, api, told) as channels:
        outbox = channels.outboxes.open()
        outbox.put(notice("a"))
        api.wait_for(lambda: api.refusals >= 4)
        shown = channels.troubles()
        api.write("status")
        api.is_refusing = False
        channels.start_over()
        api.wait_for(lambda: len(api.sent) == 2)
        outbox.close()

    assert sorted(shown) == ["telegram", "telegram_commands"]
    assert sorted(api.texts()) == ["[sim] status", "[sim] title a\nbody a"]
    assert channels.troubles() == {}
    assert [(key, title) for key, title, _ in told] == [
        ("channel/telegram/1", "telegram takes no notices"),
        ("channel/telegram/2", "telegram takes notices again"),
    ]
    assert not [words for words in told if has_secret(" ".join(words))]


@pytest.mark.usefixtures("inbox")
def test_commands_are_not_asked_for_before_the_server_allows_it(api: BotApi) -> None:
    api.wait_for(lambda: api.asked_s)
    api.busy_s = 3
    api.write("status")
    api.wait_for(lambda: len(api.sent) == 1)
    api.write("risk")
    api.wait_for(lambda: len(api.sent) == 2)

    waits = [later - earlier for earlier, later in pairwise(api.asked_s)]
    assert max(waits) >= 3


def test_an_old_command_is_not_done_any_more(api: BotApi, inbox: tuple) -> None:
    _, asked, _ = inbox

    api.write("close all", age_s=3600)
    api.wait_for(lambda: api.sent)

    assert asked == []
    assert api.texts()[0].startswith("Not done: written 36")


def test_an_answer_that_does_not_arrive_is_sent_again_and_nothing_is_done_again(
    api: BotApi, inbox: tuple
) -> None:
    _, asked, _ = inbox
    api.faults.extend(["429", "502"])

    api.write("close ETH")
    api.write("status")
    api.wait_for(lambda: api.texts() == ["close ETH <done>", "status <done>"])

    assert [text for _, text in asked] == ["close ETH", "status"]


def test_an_update_that_cannot_be_read_holds_up_no_command(api: BotApi, inbox: tuple) -> None:
    box, asked, strangers = inbox

    api.send_odd({"message": {"message_id": "x", "chat": "nobody"}})
    api.send_odd({"callback_query": []})
    api.write("status")
    api.wait_for(lambda: api.texts() == ["status <done>"])

    assert [text for _, text in asked] == ["status"]
    assert box.unreadable == 2
    assert strangers == []


@pytest.mark.usefixtures("inbox")
def test_a_command_that_fails_is_answered_and_the_next_is_done(api: BotApi) -> None:
    api.write("boom")
    api.write("status")
    api.wait_for(lambda: len(api.sent) == 2)

    assert api.texts() == ["The command failed; see the logs.", "status <done>"]


USERS = {"TELEGRAM_USER_IDS": "7, 8"}


@pytest.mark.parametrize(
    ("environ", "obeyed", "strangers"),
    [
        ({}, [(77, 77)], [(77, 7), (666, 77), (-100, 77)]),
        (USERS, [(77, 7), (77, 8)], [(77, 77), (7, 7), (-100, 7)]),
        (
            {"TELEGRAM_ADMIN_CHAT_ID": "-100", **USERS},
            [(-100, 7), (-100, 8)],
            [(-100, 9), (7, 7), (-101, 7)],
        ),
        ({"TELEGRAM_ADMIN_CHAT_ID": "-100"}, [], [(-100, 7), (-100, -100), (7, 7)]),
    ],
    ids=["private", "private with a list", "group with a list", "group"],
)
def test_a_command_needs_its_chat_and_its_person(
    tmp_path: Path,
    api: BotApi,
    environ: dict[str, str],
    obeyed: list[tuple[int, int]],
    strangers: list[tuple[int, int]],
) -> None:
    told: list[tuple[str, ...]] = []
    with channels_of(tmp_path, api, told, **environ) as channels:
        for chat, user in strangers:
            api.write(f"panic {chat} {user}", chat=chat, user=user)
            api.press(f"panic {chat} {user}", chat=chat, user=user)
        for chat, user in obeyed:
            api.write(f"status {chat} {user}", chat=chat, user=user)
        api.wait_for(lambda: len(api.sent) == len(obeyed))
        api.wait_for(lambda: channels.refused()["telegram", "stranger"] == 2 * len(strangers))

    assert api.texts() == [f"[sim] status {chat} {user}" for chat, user in obeyed]
    titles = [title for _, title, _ in told]
    refused = "Commands by Telegram are refused"
    assert titles == [*([] if obeyed else [refused]), "A stranger wrote to the bot"]


def test_start_greets_who_is_obeyed_and_nobody_else(api: BotApi, inbox: tuple) -> None:
    _, asked, _ = inbox

    api.write("/start", chat=666)
    api.write("/start@desk_bot")
    api.write("status")
    api.wait_for(lambda: len(api.sent) == 2)

    assert api.texts() == [
        "Ready. The menu lists all commands; help explains each.",
        "status <done>",
    ]
    assert [text for _, text in asked] == ["status"]


@pytest.mark.usefixtures("inbox")
def test_the_menu_has_all_commands_in_the_chat_of_the_admin_alone(api: BotApi) -> None:
    api.wait_for(lambda: any(method == "setMyCommands" for method, _ in api.calls))

    values = next(values for method, values in api.calls if method == "setMyCommands")
    commands = json.loads(values["commands"])
    assert [command["command"] for command in commands] == [name.value for name in CommandName]
    assert all(command["description"] for command in commands)
    assert json.loads(values["scope"]) == {"type": "chat", "chat_id": 77}


@pytest.mark.usefixtures("inbox")
def test_a_used_button_goes_away(api: BotApi) -> None:
    api.press("panic yes")
    api.wait_for(lambda: any(method == "editMessageReplyMarkup" for method, _ in api.calls))

    values = next(values for method, values in api.calls if method == "editMessageReplyMarkup")
    assert (values["chat_id"], values["message_id"]) == ("77", "2")
    assert "reply_markup" not in values


def test_a_button_that_cannot_be_cleared_does_its_command_all_the_same(
    api: BotApi, inbox: tuple
) -> None:
    _, asked, _ = inbox
    api.refused_calls |= {"answerCallbackQuery", "editMessageReplyMarkup", "setMyCommands"}

    api.press("panic yes")
    api.wait_for(lambda: api.texts() == ["panic yes <done>"])

    assert asked == [("telegram/77", "panic yes")]


@pytest.mark.usefixtures("inbox")
@pytest.mark.parametrize(
    ("refusals", "text"),
    [
        (1, "panic <done>"),
        (2, "Telegram refuses to show the answer; bin/ctl on the machine does."),
    ],
)
def test_an_answer_that_is_refused_is_sent_plain_and_else_said_to_be(
    api: BotApi, refusals: int, text: str
) -> None:
    api.faults.extend(["400"] * refusals)

    api.write("panic")
    api.wait_for(lambda: api.sent)

    assert api.texts() == [text]
    assert api.sent[0].keyboard is None


def test_each_message_begins_with_the_name_of_the_instance(tmp_path: Path, api: BotApi) -> None:
    settings_file = tmp_path / "settings.yaml"
    settings_file.write_text("notifications: {instance: desk 2}")
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_ADMIN_CHAT_ID": ADMIN,
        "TELEGRAM_SERVER": api.url,
    }
    found = load_settings(settings_file, environ=environ, dotenv=None).notifications
    api.updates.clear()
    channels = Channels(
        found,
        journals_in(tmp_path),
        mode="sim",
        rng=Random(1),
        is_well=lambda: True,
        on_system=lambda *_: None,
        handle_command=lambda _who, text: Answer(text=text),
    )
    channels.start()
    outbox = channels.outboxes.open()
    outbox.put(notice("a"))
    api.write("status")
    api.wait_for(lambda: len(api.sent) == 2)
    outbox.close()
    channels.close(5.0)

    assert sorted(api.texts()) == ["[desk 2] status", "[desk 2] title a\nbody a"]


def test_an_answer_is_not_told_again_where_it_was_read(tmp_path: Path, api: BotApi) -> None:
    environ = {"TELEGRAM_CHANNEL_ID": "-1"}
    with channels_of(tmp_path, api, [], **environ) as channels:
        outbox = channels.outboxes.open()
        outbox.put_answered(notice("a", NoticeKind.SYSTEM))
        outbox.put(notice("b", NoticeKind.SYSTEM))
        api.wait_for(lambda: len(api.sent) == 3)
        outbox.close()

    by_chat = sorted((sent.chat_id, sent.text[6:13]) for sent in api.sent)
    assert by_chat == [("-1", "title a"), ("-1", "title b"), ("77", "title b")]
