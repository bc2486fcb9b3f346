// Evaluates expressions of GitHub Actions with GitHub's own library: reads {contexts, expressions} as JSON
// from stdin, prints a list with what each expression is as text.
import { readFileSync } from "node:fs";
import { Evaluator, Lexer, Parser, data } from "@actions/expressions";

const asked = readFileSync(0, "utf8");
const { contexts, expressions } = JSON.parse(asked);
const contextData = JSON.parse(asked, data.reviver).get("contexts");

// Source: GitHub Docs, "Evaluate expressions in workflows and actions", status check functions.
const statuses = ["success", "failure", "cancelled", "always"].map((name) => ({
  name,
  minArgs: 0,
  maxArgs: 0,
  call: () => new data.BooleanData(name === "always" || name === contexts.job.status),
}));
const functions = new Map(statuses.map((each) => [each.name, each]));

const answers = expressions.map((expression) => {
  const { tokens } = new Lexer(expression).lex();
  const parsed = new Parser(tokens, Object.keys(contexts), statuses).parse();
  return new Evaluator(parsed, contextData, functions).evaluate().coerceString();
});
console.log(JSON.stringify(answers));
