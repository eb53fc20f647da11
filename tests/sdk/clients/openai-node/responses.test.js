// Responses: plain, streamed with the helper, tools and the tool runner, structured output, errors.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { ResponsesToolRunner, runnerFunction } = require("openai/helpers/responses-tool-runner");
const { zodResponsesFunction, zodTextFormat } = require("openai/helpers/zod");
const scene = require("./scene.js");

const { OpenAI, client, SIMULATED, REAL, GREETING, DEGREES } = scene;
const responses = client.responses;

// Runs the tools of these tests and notes what was asked in `done`.
const runner = (done) =>
  new ResponsesToolRunner({
    functions: [
      zodResponsesFunction({
        name: "get_weather",
        parameters: scene.GetWeather,
        function: ({ city }) => (done.push(city), `${DEGREES[city]} degrees`),
      }),
      zodResponsesFunction({
        name: "to_fahrenheit",
        parameters: scene.ToFahrenheit,
        function: ({ celsius }) => (done.push(celsius), "86 fahrenheit"),
      }),
    ].map(runnerFunction),
  });

for (const model of [...SIMULATED, ...REAL]) {
  test(`${model}: a question is answered with usage`, async () => {
    const input = `${model}, please say hello`;
    const answer = await responses.create({ model: "auto", instructions: "Be brief.", input, max_output_tokens: 16 });
    assert.ok(answer.output_text);
    assert.ok(["completed", "incomplete"].includes(answer.status));
    assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
    assert.ok(answer.usage.output_tokens > 0);
  });
}

for (const model of SIMULATED) {
  test(`${model}: the streaming helper gathers the whole answer`, async () => {
    const stream = responses.stream({ model: "auto", input: `${model}, please say hello` });
    const events = [];
    for await (const event of stream) events.push(event);
    events.forEach((event, index) => assert.equal(event.sequence_number, index));
    assert.equal(events.at(-1).type, "response.completed");
    const deltas = events.filter(({ type }) => type === "response.output_text.delta").map(({ delta }) => delta);
    assert.ok(deltas.length > 5);
    const final = await stream.finalResponse();
    assert.equal(deltas.join(""), GREETING);
    assert.equal(final.output_text, GREETING);
    assert.equal(final.usage.output_tokens, 20);
  });

  for (const stream of [false, true]) {
    const way = stream ? "streamed" : "plain";

    test(`${model}: the tool runner comes to an answer in two steps, ${way}`, async () => {
      const done = [];
      const input = `${model}, tell me the weather in Rome in fahrenheit`;
      const final = await runner(done).run(client, { model: "auto", input }, { maxSteps: 4, stream });
      assert.deepEqual(done, ["Rome", 30]);
      assert.equal(final.output_text, "It is 86 fahrenheit in Rome.");
    });

    test(`${model}: reasoning goes back to the model that wrote it, ${way}`, async () => {
      const done = [];
      const params = {
        model: "auto",
        input: `${model}, think about the weather`,
        store: false,
        include: ["reasoning.encrypted_content"],
        reasoning: { effort: "medium" },
      };
      const turns = [];
      for await (const turn of runner(done).iterate(client, params, { maxSteps: 3, stream })) {
        turns.push(turn.response.output.map(({ type }) => type));
      }
      assert.deepEqual(turns, [["reasoning", "function_call"], ["message"]]);
      assert.deepEqual(done, ["Oslo"]);
    });

    test(`${model}: errors of the provider are the client's own, ${way}`, async () => {
      await assert.rejects(responses.create({ model: "auto", input: `${model}, be too busy`, stream }), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError);
        return error.headers.get("retry-after") === "7";
      });
      await assert.rejects(responses.create({ model: "auto", input: `${model}, be wrong`, stream }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        return error.error.message === "this cannot be answered";
      });
    });
  }

  test(`${model}: the tool runner answers parallel calls together, as they come`, async () => {
    const done = [];
    const input = `${model}, compare Oslo and Bergen`;
    const options = { maxSteps: 3, stream: true, eager: true };
    const final = await runner(done).run(client, { model: "auto", input }, options);
    assert.deepEqual(done, ["Oslo, Norway", "Bergen"]);
    assert.equal(final.output_text, "Oslo has 12 degrees, Bergen 9.");
  });

  test(`${model}: structured output is parsed`, async () => {
    const request = {
      model: "auto",
      input: `${model}, who wrote the first program`,
      text: { format: zodTextFormat(scene.Programmer, "programmer") },
    };
    const ada = { name: "Ada Lovelace", born: 1815 };
    assert.deepEqual((await responses.parse(request)).output_parsed, ada);
    assert.deepEqual((await responses.stream(request).finalResponse()).output_parsed, ada);
  });

  test(`${model}: an answer that was cut says so`, async () => {
    const answer = await responses.create({ model: "auto", input: `${model}, be cut short` });
    assert.deepEqual([answer.status, answer.incomplete_details.reason], ["incomplete", "max_output_tokens"]);
  });
}

for (const model of REAL) {
  test(`${model}: a real engine's stream is gathered to its end`, async () => {
    const input = `${model}, please say hello`;
    const final = await responses.stream({ model: "auto", input, temperature: 0 }).finalResponse();
    assert.ok(final.output_text);
  });

  test(`${model}: a prompt beyond the context of a real engine is a bad request`, async () => {
    await assert.rejects(responses.create({ model: "auto", input: `${model}, ${"word ".repeat(9000)}` }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      return error.code === "context_length_exceeded";
    });
  });
}
