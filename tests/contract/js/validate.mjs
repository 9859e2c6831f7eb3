// Read AsyncAPI documents (a JSON list of texts on standard input) with the official parser; print what it found in each.
import { text } from "node:stream/consumers";

import { Parser } from "@asyncapi/parser";

const parser = new Parser();
const found = [];
for (const source of JSON.parse(await text(process.stdin))) {
  const { document, diagnostics } = await parser.parse(source);
  found.push({
    version: document?.version() ?? null,
    messages: document?.messages().all().map((message) => message.name()).sort() ?? [],
    operations: document?.operations().all().map((operation) => `${operation.action()} ${operation.id()}`).sort() ?? [],
    diagnostics: diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path: path.join(".") })),
  });
}
process.stdout.write(JSON.stringify(found));
