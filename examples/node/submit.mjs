// Submit a task to smolit, wait for its answer, say what it was worth: node submit.mjs TEXT [KIND].
import { randomUUID } from "node:crypto";

import kafkajs from "kafkajs";

const SOURCE = "examples/node"; // who asks: with the request's id it names the request for ever
const REQUESTS = "smolit.requests.v1";
const ANSWERS = "smolit.answers.v1";
const WAIT_MS = 60_000;

const kafka = new kafkajs.Kafka({
  clientId: "smolit-example",
  brokers: (process.env.SMOLIT_KAFKA ?? "127.0.0.1:19092").split(","),
  logLevel: kafkajs.logLevel.ERROR,
});

/** Submit one task; return 0 if it was completed, 1 if it was refused or ended otherwise. */
async function main(text, kind = null) {
  const producer = kafka.producer();
  await producer.connect();
  try {
    const requestId = randomUUID();
    const answer = await answerTo(requestId, () => ask(producer, requestId, "smolit.task.submit.v1", { text, kind }));
    console.log(JSON.stringify(answer, null, 2));
    if (answer.outcome !== "completed") return 1;
    const judged = { task_id: answer.task_id, rater: SOURCE, kind: "score", value: 1.0 };
    await ask(producer, randomUUID(), "smolit.feedback.give.v1", judged);
    return 0;
  } finally {
    await producer.disconnect();
  }
}

/** Send a request as a CloudEvent in binary mode; it counts once Kafka has it. */
function ask(producer, id, type, data) {
  const headers = {
    ce_specversion: "1.0",
    ce_type: type,
    ce_source: SOURCE,
    ce_id: id,
    "content-type": "application/json",
  };
  return producer.send({ topic: REQUESTS, messages: [{ value: JSON.stringify(data), headers }] });
}

/** Ask, and return the answer; others' are passed over. Reading begins where the answers ended before we asked. */
async function answerTo(requestId, asking) {
  const groupId = `smolit-example-${requestId}`; // kafkajs reads in groups only; this one is ours alone, and goes with us
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId });
  await Promise.all([admin.connect(), consumer.connect()]);
  let timer;
  try {
    const ends = await admin.fetchTopicOffsets(ANSWERS);
    await consumer.subscribe({ topics: [ANSWERS] });
    const answered = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${WAIT_MS / 1000} seconds`)), WAIT_MS);
      const eachMessage = async ({ message }) => {
        const answer = JSON.parse(message.value.toString());
        if (answer.requested_by === SOURCE && answer.request_id === requestId) resolve(answer);
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
    for (const { partition, high } of ends) consumer.seek({ topic: ANSWERS, partition, offset: high });
    const [answer] = await Promise.all([answered, asking()]);
    return answer;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
    await admin.deleteGroups([groupId]).finally(() => admin.disconnect());
  }
}

process.exitCode = await main(...process.argv.slice(2));
