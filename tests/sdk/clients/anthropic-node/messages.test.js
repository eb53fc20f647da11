// Messages: plain, streamed with the helper, tools and the tool runner, thinking, structured output, counting, errors.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const Anthropic = require("@anthropic-ai/sdk");
const { betaZodTool } = require("@anthropic-ai/sdk/helpers/beta/zod");
const { zodOutputFormat } = require("@anthropic-ai/sdk/helpers/zod");
const { z } = require("zod");

const SIMULATED = ["simulated-chat", "simulated-messages"];
const REAL = ["llama-chat", "llama-messages"];
const GREETING = "Grüße aus dem Simulator: 你好 🌍, and a good day to everybody who reads this.";
const DEGREES = { Oslo: 21, Rome: 30, "Oslo, Norway": 12, Bergen: 9 };
const THINKING = { type: "enabled", budget_tokens: 1024 };

// Generation is slow on a busy machine. The question names the model that it wants; see ../../configs.py.
const client = new Anthropic({ baseURL: process.env.ROUTER_URL, apiKey: "k", maxRetries: 0, timeout: 120_000 });

const request = (model, text, more = {}) => ({
  model: "auto",
  max_tokens: 2048,
  system: "Be brief.",
  messages: [{ role: "user", content: `${model}, ${text}` }],
  ...more,
});

// The tools of these tests; they note what was asked in `done`.
const tools = (done) => [
  betaZodTool({
    name: "get_weather",
    description: "The weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => {
      done.push(city);
      if (!(city in DEGREES)) throw new Error("the tool failed");
      return `${DEGREES[city]} degrees`;
    },
  }),
  betaZodTool({
    name: "to_fahrenheit",
    description: "Converts a temperature.",
    inputSchema: z.object({ celsius: z.number() }),
    run: ({ celsius }) => (done.push(celsius), "86 fahrenheit"),
  }),
];

const textOf = (message) => message.content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");

// The messages of a run of the tools, streamed or not.
const run = async (asked) => {
  const messages = [];
  for await (const turn of client.beta.messages.toolRunner(asked)) {
    messages.push(asked.stream ? await turn.finalMessage() : turn);
  }
  return messages;
};

for (const model of [...SIMULATED, ...REAL]) {
  test(`${model}: a question is answered with usage`, async () => {
    const message = await client.messages.create(request(model, "please say hello", { max_tokens: 12 }));
    assert.ok(textOf(message));
    assert.ok(["end_turn", "max_tokens"].includes(message.stop_reason));
    assert.ok(message.usage.output_tokens > 0);
  });

  test(`${model}: tokens are counted and grow with the text`, async () => {
    const count = async (text) => {
      const { max_tokens, ...asked } = request(model, text);
      return (await client.messages.countTokens(asked)).input_tokens;
    };
    const short = await count("hello");
    assert.ok(short > 0);
    assert.ok(short < (await count("hello ".repeat(100))));
  });
}

for (const model of SIMULATED) {
  test(`${model}: the streaming helper gathers the whole answer`, async () => {
    const stream = client.messages.stream(request(model, "please say hello"));
    const texts = [];
    stream.on("text", (text) => texts.push(text));
    const message = await stream.finalMessage();
    assert.ok(texts.length > 5);
    assert.equal(texts.join(""), GREETING);
    assert.equal(textOf(message), GREETING);
    assert.deepEqual([message.stop_reason, message.usage.output_tokens], ["end_turn", 20]);
  });

  for (const stream of [false, true]) {
    const way = stream ? "streamed" : "plain";

    test(`${model}: the tool runner comes to an answer in two steps, ${way}`, async () => {
      const done = [];
      const asked = request(model, "tell me the weather in Rome in fahrenheit", { tools: tools(done), stream });
      const messages = await run(asked);
      assert.deepEqual(done, ["Rome", 30]);
      assert.deepEqual(messages.map((message) => message.stop_reason), ["tool_use", "tool_use", "end_turn"]);
      assert.equal(textOf(messages.at(-1)), "It is 86 fahrenheit in Rome.");
    });

    test(`${model}: the tool runner answers parallel calls together, ${way}`, async () => {
      const done = [];
      const messages = await run(request(model, "compare Oslo and Bergen", { tools: tools(done), stream }));
      assert.deepEqual(done, ["Oslo, Norway", "Bergen"]);
      assert.equal(textOf(messages.at(-1)), "Oslo has 12 degrees, Bergen 9.");
    });

    test(`${model}: thinking goes back to the model that wrote it, ${way}`, async () => {
      const done = [];
      const more = { thinking: THINKING, tools: tools(done), stream };
      const messages = await run(request(model, "think about the weather", more));
      const types = messages.map((message) => message.content.map((block) => block.type));
      assert.deepEqual(types, [["thinking", "tool_use"], ["text"]]);
      assert.ok(messages[0].content[0].signature);
      assert.deepEqual(done, ["Oslo"]);
    });

    test(`${model}: errors of the provider are the client's own, ${way}`, async () => {
      await assert.rejects(client.messages.create(request(model, "be too busy", { stream })), (error) => {
        assert.ok(error instanceof Anthropic.RateLimitError);
        return error.headers.get("retry-after") === "7";
      });
      await assert.rejects(client.messages.create(request(model, "be wrong", { stream })), (error) => {
        assert.ok(error instanceof Anthropic.BadRequestError);
        return error.error.error.message === "this cannot be answered";
      });
    });
  }

  test(`${model}: a tool that fails says so to the model`, async () => {
    const done = [];
    const messages = await run(request(model, "tell me the weather nowhere", { tools: tools(done) }));
    assert.equal(textOf(messages.at(-1)), "I could not find out.");
  });

  test(`${model}: structured output is parsed`, async () => {
    const format = zodOutputFormat(z.object({ name: z.string(), born: z.number() }));
    const asked = request(model, "who wrote the first program", { output_config: { format } });
    assert.deepEqual((await client.messages.parse(asked)).parsed_output, { name: "Ada Lovelace", born: 1815 });
  });

  test(`${model}: an answer that was cut says so`, async () => {
    assert.equal((await client.messages.create(request(model, "be cut short"))).stop_reason, "max_tokens");
  });
}

for (const model of REAL) {
  test(`${model}: a real engine's stream is gathered to its end`, async () => {
    const message = await client.messages.stream(request(model, "count", { max_tokens: 8 })).finalMessage();
    assert.ok(textOf(message));
    assert.ok(["end_turn", "max_tokens"].includes(message.stop_reason));
  });

  test(`${model}: a prompt beyond the context of a real engine is a bad request`, async () => {
    const asked = request(model, "word ".repeat(9000));
    await assert.rejects(client.messages.create(asked), Anthropic.BadRequestError);
  });
}
