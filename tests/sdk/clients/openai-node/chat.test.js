// Chat Completions: plain, streamed with the helper, the tool runner, structured output, errors.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { zodFunction, zodResponseFormat } = require("openai/helpers/zod");
const scene = require("./scene.js");

const { OpenAI, client, SIMULATED, REAL, GREETING, DEGREES } = scene;
const chat = client.chat.completions;

const asked = (model, text) => [
  { role: "system", content: "Be brief." },
  { role: "user", content: `${model}, ${text}` },
];

// The tools of these tests; they note what was asked in `done`.
const tools = (done) => [
  zodFunction({
    name: "get_weather",
    parameters: scene.GetWeather,
    function: ({ city }) => (done.push(city), `${DEGREES[city]} degrees`),
  }),
  zodFunction({
    name: "to_fahrenheit",
    parameters: scene.ToFahrenheit,
    function: ({ celsius }) => (done.push(celsius), "86 fahrenheit"),
  }),
];

for (const model of [...SIMULATED, ...REAL]) {
  test(`${model}: a question is answered with usage`, async () => {
    const messages = asked(model, "please say hello");
    const answer = await chat.create({ model: "auto", messages, max_tokens: 12 });
    assert.ok(answer.choices[0].message.content);
    assert.ok(["stop", "length"].includes(answer.choices[0].finish_reason));
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.ok(answer.usage.completion_tokens > 0);
  });
}

for (const model of SIMULATED) {
  test(`${model}: the streaming helper gathers the whole answer`, async () => {
    const messages = asked(model, "please say hello");
    const stream = chat.stream({ model: "auto", messages, stream_options: { include_usage: true } });
    const deltas = [];
    stream.on("content", (delta) => deltas.push(delta));
    assert.equal(await stream.finalContent(), GREETING);
    assert.ok(deltas.length > 5);
    assert.equal(deltas.join(""), GREETING);
    assert.equal((await stream.totalUsage()).completion_tokens, 20);
  });

  for (const stream of [false, true]) {
    const way = stream ? "streamed" : "plain";

    test(`${model}: the tool runner comes to an answer in two steps, ${way}`, async () => {
      const done = [];
      const messages = asked(model, "tell me the weather in Rome in fahrenheit");
      const runner = chat.runTools({ model: "auto", messages, tools: tools(done), stream });
      assert.equal(await runner.finalContent(), "It is 86 fahrenheit in Rome.");
      assert.deepEqual(done, ["Rome", 30]);
      const ids = runner.messages.filter(({ role }) => role === "tool").map((message) => message.tool_call_id);
      assert.deepEqual(ids, ["call_rome", "call_rome_2"]);
    });

    test(`${model}: the tool runner answers parallel calls together, ${way}`, async () => {
      const done = [];
      const messages = asked(model, "compare Oslo and Bergen");
      const runner = chat.runTools({ model: "auto", messages, tools: tools(done), stream });
      assert.equal(await runner.finalContent(), "Oslo has 12 degrees, Bergen 9.");
      assert.deepEqual(done, ["Oslo, Norway", "Bergen"]);
    });

    test(`${model}: errors of the provider are the client's own, ${way}`, async () => {
      await assert.rejects(chat.create({ model: "auto", messages: asked(model, "be too busy"), stream }), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError);
        assert.equal(error.headers.get("retry-after"), "7");
        return error.error.message === "too many requests at once";
      });
      await assert.rejects(chat.create({ model: "auto", messages: asked(model, "be wrong"), stream }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        return error.error.message === "this cannot be answered";
      });
    });
  }

  test(`${model}: structured output is parsed`, async () => {
    const messages = asked(model, "who wrote the first program");
    const response_format = zodResponseFormat(scene.Programmer, "programmer");
    const answer = await chat.parse({ model: "auto", messages, response_format });
    assert.deepEqual(answer.choices[0].message.parsed, { name: "Ada Lovelace", born: 1815 });
    const final = await chat.stream({ model: "auto", messages, response_format }).finalChatCompletion();
    assert.deepEqual(final.choices[0].message.parsed, answer.choices[0].message.parsed);
  });

  test(`${model}: an answer that was cut says so`, async () => {
    const answer = await chat.create({ model: "auto", messages: asked(model, "be cut short") });
    assert.equal(answer.choices[0].finish_reason, "length");
  });
}

for (const model of REAL) {
  test(`${model}: a real engine's stream is gathered to its end`, async () => {
    const stream = chat.stream({ model: "auto", messages: asked(model, "please say hello"), temperature: 0 });
    assert.ok(await stream.finalContent());
    assert.ok(["stop", "length"].includes((await stream.finalChatCompletion()).choices[0].finish_reason));
  });

  test(`${model}: a prompt beyond the context of a real engine is a bad request`, async () => {
    const messages = asked(model, "word ".repeat(9000));
    await assert.rejects(chat.create({ model: "auto", messages }), OpenAI.BadRequestError);
  });
}
