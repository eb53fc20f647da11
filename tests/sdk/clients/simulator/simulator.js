// A simulated provider with tool calls and reasoning, for both vendors' protocols, until standard input ends.
// It prints `listening on URL`. What it answers stands in answers.json; anything else is refused with 503, so that
// a request that was changed on its way fails. It also refuses a tool loop of Anthropic's that lost its thinking.
const path = require("node:path");
const { LLMock } = require("@copilotkit/aimock");

const simulator = new LLMock({ port: 0, host: "127.0.0.1", strict: true, chunkSize: 7, logLevel: "warn" });
simulator.loadFixtureFile(path.join(__dirname, "answers.json"));
simulator.start().then((url) => console.log(`listening on ${url}`));
process.stdin.on("end", () => process.exit(0)).resume();
