// Whether a command is the house's: signed by its key, for this topic, of now, and for the first time; see docs/agents-remote.md.
import { createHash, createPublicKey, verify } from "node:crypto";

const FRESH_MS = 60_000;
const COVERED = ["ce_type", "ce_source", "ce_id", "ce_time"];
const SPKI = Buffer.from("302a300506032b6570032100", "hex"); // how an Ed25519 public key begins in DER

export class House {
  #keys = new Map(); // by id; several while the house changes its key
  #seen = new Map(); // when a command was made, by its id

  /** Take the public keys that `smolit agent house-key` shows, with commas between. */
  constructor(keys) {
    if (!keys) throw new Error("SMOLIT_HOUSE_KEY is missing: it is what `smolit agent house-key` shows");
    for (const open of keys.split(",").map((key) => key.trim())) {
      const der = Buffer.concat([SPKI, Buffer.from(open, "base64")]);
      const id = createHash("sha256").update(open).digest("hex").slice(0, 16);
      this.#keys.set(id, createPublicKey({ key: der, format: "der", type: "spki" }));
    }
  }

  /** Return why a command must not be done, or null. It may say when its answer comes too late, and to which session it is said. */
  refuses(topic, headers, value, { due, session }, ours, now = Date.now()) {
    const [audience, keyId, signature, ...covered] = ["ce_audience", "ce_keyid", "ce_signature", ...COVERED].map((name) => one(headers, name));
    if ([audience, keyId, signature, ...covered].includes(null)) return "unsigned";
    const key = this.#keys.get(keyId);
    if (!key) return "unknown_key";
    const digest = createHash("sha256").update(value).digest("hex");
    const content = ["smolit:command:1", audience, ...covered, digest].join("\n");
    if (!verify(null, Buffer.from(content), key, Buffer.from(signature, "base64"))) return "forged";
    if (audience !== topic) return "foreign_pool";
    const [, , id, time] = covered;
    const made = Date.parse(time);
    if (!(Math.abs(now - made) <= FRESH_MS) || (due && Date.parse(due) <= now)) return "late";
    if (session && session !== ours) return "late";
    if (this.#seen.has(id)) return "replayed";
    this.#remember(id, made, now);
    return null;
  }

  /** Remember a command as long as it would be fresh. */
  #remember(id, made, now) {
    for (const [old, when] of this.#seen) if (now - when > FRESH_MS) this.#seen.delete(old);
    this.#seen.set(id, made);
  }
}

/** Return a header that is there once, as text. */
function one(headers, name) {
  const found = headers?.[name];
  return Buffer.isBuffer(found) ? found.toString() : null;
}
