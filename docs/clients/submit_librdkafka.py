"""Submit a task and print its answer: submit_librdkafka.py BOOTSTRAP TEXT [KIND]."""

import json
import sys
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

_, bootstrap, text, *kind = sys.argv
me = {"specversion": "1.0", "type": "smolit.task.submit.v1", "source": "docs/clients", "id": str(uuid.uuid4())}
answers = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
topic = answers.list_topics("smolit.answers.v1", timeout=10).topics["smolit.answers.v1"]
ends = [(number, answers.get_watermark_offsets(TopicPartition(topic.topic, number))[1]) for number in topic.partitions]
answers.assign([TopicPartition(topic.topic, number, end) for number, end in ends])  # before we ask, so none is missed
producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
headers = {"content-type": "application/json", **{f"ce_{name}": content for name, content in me.items()}}
producer.produce("smolit.requests.v1", json.dumps({"text": text, "kind": kind[0] if kind else None}), headers=headers)
producer.flush()
for record in iter(lambda: answers.poll(60), None):
    answer = {} if record.error() else json.loads(record.value())
    if (answer.get("requested_by"), answer.get("request_id")) == (me["source"], me["id"]):
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        break
else:
    sys.exit("no answer within 60 seconds")
answers.close()
