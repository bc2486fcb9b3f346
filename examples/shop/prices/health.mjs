// The health check of the container: node health.mjs [PORT]. Exit status 0 if the service answers, else 1.

const port = process.argv[2] ?? "8081";
try {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(error.cause?.code ?? error.message);
  process.exitCode = 1;
}
