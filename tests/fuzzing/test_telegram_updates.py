"""Updates of the Bot API: each is read, or left out by its number, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from infra.operator.notices.telegram_updates import UpdatesRequest
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, mutated

CHAT = {"id": 77, "type": "private"}
PERSON = {"id": 77, "is_bot": False, "first_name": "A"}
MESSAGE = {"message_id": 1, "date": 1_743_465_600, "chat": CHAT, "from": PERSON, "text": "status"}
WRITTEN = {"update_id": 1, "message": MESSAGE}
PRESSED = {
    "update_id": 2,
    "callback_query": {
        "id": "q",
        "from": PERSON,
        "chat_instance": "c",
        "message": MESSAGE,
        "data": "yes",
    },
}


@examples(150)
@given(data=st.data())
def test_a_damaged_update_hides_none_of_the_others(data):
    odd = data.draw(mutated(data.draw(st.sampled_from([WRITTEN, PRESSED]))))
    answer = {"ok": True, "result": [odd, WRITTEN]}

    read = UpdatesRequest.parse_json_payload(as_json(answer))
    updates = [Update.de_json(one, None) for one in read["result"]]

    assert updates[-1].message.text == "status"
    assert all(isinstance(update.update_id, int) for update in updates)
