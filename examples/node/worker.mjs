// An agent that lives outside of smolit: it factors whole numbers. node worker.mjs POOL [NAME]; see docs/agents-remote.md.
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";

import kafkajs from "kafkajs";

import { House } from "./house.mjs";

const SOURCE = "examples/node"; // with our name it says who we are: an answer counts only from who has the attempt
const PREFIX = process.env.SMOLIT_TOPIC_PREFIX ?? "smolit";
const REQUESTS = `${PREFIX}.requests.v1`;
const KEY = keyOf(process.env.SMOLIT_WORKER_KEY); // made by `smolit agent key examples/node#NAME --make FILE`
const HOUSE = new House(process.env.SMOLIT_HOUSE_KEY);
const SESSION = randomUUID(); // names this run of ours: what was commanded to the one before is none of our business
const REPORT_MS = 1_000; // between two reports of one reason
const BEAT_MS = 1_000;
const CAPACITY = 2;
const CHUNK = 2_000_000; // divisions between two looks at what else is to be done

const [pool, name = `node-${process.pid}`] = process.argv.slice(2);
const kafka = new kafkajs.Kafka({
  clientId: `smolit-${name}`,
  brokers: (process.env.SMOLIT_KAFKA ?? "127.0.0.1:19092").split(","),
  logLevel: kafkajs.logLevel.ERROR,
});
const producer = kafka.producer();
const holding = new Map(); // what we are at: claim by attempt
const reported = new Map(); // when we last reported, by reason

/** Return our key and its id: the file has an Ed25519 seed of 32 bytes, base64. Without a file nothing is signed. */
function keyOf(path) {
  if (!path) return null;
  const seed = Buffer.from(readFileSync(path, "utf8").trim(), "base64");
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]); // PKCS #8 of such a key
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const open = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
  return { secret, id: createHash("sha256").update(open).digest("hex").slice(0, 16) };
}

/** Return the headers that vouch for what we say: topic, type, source, id, time and every byte of the value. */
function vouched(headers, value) {
  if (!KEY) return headers;
  const digest = createHash("sha256").update(value).digest("hex");
  const covered = [REQUESTS, headers.ce_type, headers.ce_source, headers.ce_id, headers.ce_time, digest];
  const signature = sign(null, Buffer.from(["smolit:worker:1", ...covered].join("\n")), KEY.secret).toString("base64");
  return { ...headers, ce_keyid: KEY.id, ce_signature: signature };
}

/** Say something as a CloudEvent in binary mode; an answer that is sent again under the same id counts once. */
function say(type, data, id = randomUUID()) {
  const headers = {
    ce_specversion: "1.0",
    ce_type: `smolit.${type}.v1`,
    ce_source: SOURCE,
    ce_id: id,
    ce_time: new Date().toISOString(),
    "content-type": "application/json",
  };
  const value = JSON.stringify(data);
  return producer.send({ topic: REQUESTS, messages: [{ value, headers: vouched(headers, value) }] });
}

/** Show that we live, and what we are at: the leases of that are renewed, and of nothing else. */
function beat(capacity = CAPACITY) {
  return say("worker.beat", { worker: name, pool, capacity, holding: [...holding.values()].map(({ claim }) => claim) });
}

/** Do an attempt, and answer under its claim. */
async function attempt(command) {
  const { task_id, attempt: number, epoch } = command;
  const key = `${task_id}/${number}`;
  const mine = { claim: { task_id, attempt: number, epoch }, dropped: false };
  holding.set(key, mine);
  const began = performance.now();
  let result;
  try {
    const factors = await factor(command.text, mine);
    result = { outcome: "completed", output: { factors: factors.map(String) } };
  } catch (error) {
    result = { outcome: "failed", reason: "not_a_number", detail: error.message };
  }
  if (mine.dropped) return;
  const steps = [{ name: "divide", duration_us: Math.round((performance.now() - began) * 1000), model: "trial-division/1" }];
  await say("attempt.answer", { worker: name, ...mine.claim, ...result, steps }, `${key}/${epoch}`);
  if (holding.get(key) === mine) holding.delete(key);
}

/** Return the prime factors of the number in a text, smallest first; from time to time others get their turn. */
async function factor(text, mine) {
  const found = text.match(/\d+/);
  let left = Number(found?.[0]);
  if (!Number.isSafeInteger(left) || left < 2) throw new Error("there is no whole number from 2 to 2^53 in the text");
  const factors = [];
  for (let divisor = 2, steps = 1; divisor * divisor <= left; divisor += divisor === 2 ? 1 : 2, steps++) {
    while (left % divisor === 0) {
      factors.push(divisor);
      left /= divisor;
    }
    if (steps % CHUNK === 0) await new Promise(setImmediate);
    if (mine.dropped) return [];
  }
  return left > 1 ? [...factors, left] : factors;
}

/** Return a command that is for us; what cannot be read is none. */
function readOf(message) {
  try {
    const command = JSON.parse(message.value.toString());
    return command?.source === SOURCE && command.worker === name ? command : null;
  } catch {
    return null;
  }
}

/** Tell the house that somebody else gives commands in its name, once a second for each reason. */
async function report(reason, { topic, partition, message }) {
  if (Date.now() - (reported.get(reason) ?? 0) < REPORT_MS) return;
  reported.set(reason, Date.now());
  const place = `${topic}/${partition}/${message.offset}`;
  const id = message.headers?.ce_id;
  await say("command.refuse", { worker: name, pool, reason, place, command_id: Buffer.isBuffer(id) ? id.toString().slice(0, 256) : null });
}

/** Take a command that is for us, if the house gave it, for this pool, and now. */
function take(one) {
  const { topic, message } = one;
  const command = readOf(message);
  if (command === null) return;
  const reason = HOUSE.refuses(topic, message.headers, message.value, command, SESSION);
  if (reason) {
    report(reason, one).catch(fail);
    return;
  }
  const held = holding.get(`${command.task_id}/${command.attempt}`);
  if (message.headers.ce_type.toString() === "smolit.attempt.drop.v1") {
    if (held?.claim.epoch === command.epoch) {
      held.dropped = true;
      holding.delete(`${command.task_id}/${command.attempt}`);
    }
  } else if (held?.claim.epoch !== command.epoch) {
    attempt(command).catch(fail); // the same command may come twice
  }
}

/** End: whoever started us starts us again, and what we held goes to another worker. */
function fail(error) {
  console.error(error.message);
  process.exit(1);
}

/** Go to the ends of our pool's topic first, then announce ourselves: whatever is meant for us comes after that. */
async function main() {
  const topic = `${PREFIX}.work.${pool}.v1`;
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId: `smolit-${name}-${randomUUID()}` }); // ours alone: each worker reads every command
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ autoCommit: false, eachMessage: async (one) => take(one) });
  for (const { partition, high } of ends) consumer.seek({ topic, partition, offset: high });
  await say("worker.announce", { worker: name, pool, capacity: CAPACITY, about: "factors whole numbers, in Node" }, SESSION);
  console.log("announced");
  setInterval(() => beat().catch(fail), BEAT_MS);
  process.once("SIGTERM", () => beat(0).finally(() => process.exit(0)));
}

main().catch(fail);
