// What a run of Node's tests says: every failure, every skip with its reason, and the counts.
const { inspect } = require("node:util");

module.exports = async function* reporter(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type === "test:fail" && data.details.error.failureType !== "subtestsFailed") {
      counts.failed += 1;
      yield `FAILED ${data.name}\n${inspect(data.details.error.cause ?? data.details.error)}\n`;
    }
    if (type !== "test:pass" || data.details.type === "suite") continue;
    if (data.skip === undefined) {
      counts.passed += 1;
    } else {
      counts.skipped += 1;
      yield `SKIPPED ${data.name}: ${data.skip}\n`;
    }
  }
  yield `${Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(", ")}\n`;
};
