// The prices service: node server.mjs [--port PORT] [--host HOST]
// Answers GET /prices/<product> and GET /healthz. Exit status: 0 after SIGTERM, 2 for invalid arguments.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const prices = new Map(
  Object.entries(JSON.parse(readFileSync(new URL("prices.json", import.meta.url), "utf8"))),
);

const log = (message, fields = {}) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), message, ...fields }));

function readArguments() {
  const options = { port: { type: "string", default: "8081" }, host: { type: "string", default: "0.0.0.0" } };
  try {
    const { values } = parseArgs({ options });
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535)
      throw new Error(`--port ${values.port}: must be a number from 0 to 65535`);
    return values;
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
}

function answer(method, path) {
  if (method !== "GET" && method !== "HEAD") return [405, { problem: "only GET" }];
  if (path === "/healthz") return [200, { status: "ok" }];
  const product = path.match(/^\/prices\/([a-z0-9-]+)$/)?.[1];
  const price = prices.get(product);
  return price ? [200, { product, ...price }] : [404, { problem: "there is no such price" }];
}

const { port, host } = readArguments();
const server = createServer((request, response) => {
  const [status, document] = answer(request.method, request.url.split("?")[0]);
  const body = JSON.stringify(document) + "\n";
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? "" : body);
});
server.on("error", (error) => {
  console.error(`cannot listen on ${host}, port ${port}: ${error.code}`);
  process.exit(2);
});
server.listen(Number(port), host, () => log("listening", { port: server.address().port }));

// As the first process of a container, Node would ignore the signal.
process.on("SIGTERM", () => {
  log("stopping");
  // Idle connections close with it; those with a request in flight close after their answer.
  server.close(() => process.exit(0));
});
