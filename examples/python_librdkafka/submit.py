"""Submit a task to smolit, wait for its answer, say what it was worth: submit.py TEXT [KIND]."""

import json
import os
import sys
import time
import uuid
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

KAFKA = os.environ.get("SMOLIT_KAFKA", "127.0.0.1:19092")
SOURCE = "examples/python_librdkafka"  # who asks: with the request's id it names the request for ever
WAIT_S = 60


def main(text: str, kind: str | None = None) -> int:
    """Return 0 if the task was completed, 1 if it was refused or ended otherwise."""
    answers = from_here("smolit.answers.v1")  # before we ask, so that no answer is missed
    producer = Producer({"bootstrap.servers": KAFKA, "enable.idempotence": True})
    try:
        request_id = ask(producer, "smolit.task.submit.v1", {"text": text, "kind": kind})
        answer = answer_to(answers, request_id)
    finally:
        answers.close()
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    if answer.get("outcome") != "completed":
        return 1
    judged = {"task_id": answer["task_id"], "rater": SOURCE, "kind": "score", "value": 1.0}
    ask(producer, "smolit.feedback.give.v1", judged)
    return 0


def from_here(topic: str) -> Consumer:
    """Return a consumer that begins at the end of each partition as of now; it needs no group, and joins none."""
    consumer = Consumer({"bootstrap.servers": KAFKA, "group.id": "none", "enable.auto.commit": False})
    partitions = [TopicPartition(topic, number) for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
    for partition in partitions:
        partition.offset = consumer.get_watermark_offsets(partition)[1]
    consumer.assign(partitions)
    return consumer


def ask(producer: Producer, what: str, data: dict[str, Any]) -> str:
    """Send a request as a CloudEvent in binary mode; return its id once Kafka has it."""
    request_id = str(uuid.uuid4())
    attributes = {"ce_specversion": "1.0", "ce_type": what, "ce_source": SOURCE, "ce_id": request_id}
    headers: dict[str, str | bytes | None] = {**attributes, "content-type": "application/json"}
    producer.produce("smolit.requests.v1", json.dumps(data), headers=headers, on_delivery=delivered)
    if producer.flush(WAIT_S):
        raise TimeoutError("Kafka did not acknowledge the request; send it again, with the same id")
    return request_id


def delivered(error: KafkaError | None, _record: Message) -> None:
    """Refuse to go on with a request that Kafka does not have."""
    if error is not None:
        raise ConnectionError(error.str())


def answer_to(answers: Consumer, request_id: str) -> dict[str, Any]:
    """Return the answer to our request; others' are passed over."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        record = answers.poll(1)
        if record is None or record.error() is not None:
            continue
        answer: dict[str, Any] = json.loads(record.value() or b"")
        if (answer["requested_by"], answer["request_id"]) == (SOURCE, request_id):
            return answer
    raise TimeoutError(f"no answer within {WAIT_S} seconds")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
