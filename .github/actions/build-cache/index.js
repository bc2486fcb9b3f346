const { appendFileSync } = require("node:fs");

const { ACTIONS_RUNTIME_TOKEN: token = "", ACTIONS_RESULTS_URL: url = "", GITHUB_OUTPUT } = process.env;
if (token) console.log(`::add-mask::${token}`);
appendFileSync(GITHUB_OUTPUT, `token=${token}\nurl=${url}\n`);
