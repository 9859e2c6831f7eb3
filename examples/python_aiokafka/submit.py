"""Submit a task to smolit, wait for its answer, say what it was worth: submit.py TEXT [KIND]."""

import asyncio
import json
import os
import sys
import uuid
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

KAFKA = os.environ.get("SMOLIT_KAFKA", "127.0.0.1:19092")
SOURCE = "examples/python_aiokafka"  # who asks: with the request's id it names the request for ever
WAIT_S = 60


async def main(text: str, kind: str | None = None) -> int:
    """Return 0 if the task was completed, 1 if it was refused or ended otherwise."""
    async with (
        AIOKafkaProducer(bootstrap_servers=KAFKA, enable_idempotence=True) as producer,
        AIOKafkaConsumer("smolit.answers.v1", bootstrap_servers=KAFKA) as answers,
    ):
        await from_here(answers)  # before we ask, so that no answer is missed
        request_id = await ask(producer, "smolit.task.submit.v1", {"text": text, "kind": kind})
        async with asyncio.timeout(WAIT_S):
            answer = await answer_to(answers, request_id)
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        if answer.get("outcome") != "completed":
            return 1
        judged = {"task_id": answer["task_id"], "rater": SOURCE, "kind": "score", "value": 1.0}
        await ask(producer, "smolit.feedback.give.v1", judged)
        return 0


async def from_here(answers: AIOKafkaConsumer) -> None:
    """Settle where reading begins: at the end of each partition as of now."""
    await answers.seek_to_end()
    for partition in answers.assignment():
        await answers.position(partition)


async def ask(producer: AIOKafkaProducer, what: str, data: dict[str, Any]) -> str:
    """Send a request as a CloudEvent in binary mode; return its id once Kafka has it."""
    request_id = str(uuid.uuid4())
    attributes = {"ce_specversion": "1.0", "ce_type": what, "ce_source": SOURCE, "ce_id": request_id}
    headers = [(name, content.encode()) for name, content in {**attributes, "content-type": "application/json"}.items()]
    await producer.send_and_wait("smolit.requests.v1", json.dumps(data).encode(), headers=headers)
    return request_id


async def answer_to(answers: AIOKafkaConsumer, request_id: str) -> dict[str, Any]:
    """Return the answer to our request; others' are passed over."""
    async for record in answers:
        answer: dict[str, Any] = json.loads(record.value)
        if (answer["requested_by"], answer["request_id"]) == (SOURCE, request_id):
            return answer
    raise ConnectionError("the answers ended")


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
