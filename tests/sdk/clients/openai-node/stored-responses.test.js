// Responses that the router keeps: chains, retrieval, input items, deletion.
const assert = require("node:assert/strict");
const { before, describe, test } = require("node:test");
const { OpenAI, client, SIMULATED } = require("./scene.js");

const responses = client.responses;
let refusal;

before(async () => {
  const request = { model: "auto", input: "simulated-chat, please say hello" };
  const { id } = await responses.create(request);
  await responses.create({ ...request, previous_response_id: id }).catch((error) => {
    if (!(error instanceof OpenAI.BadRequestError)) throw error;
    refusal = `the router refuses \`previous_response_id\`: ${error.error.message}`;
  });
});

// A test that is skipped where the router keeps no responses.
const stateful = (name, body) => test(name, async (t) => (refusal ? t.skip(refusal) : body()));

describe("stored responses", () => {
  for (const model of SIMULATED) {
    stateful(`${model}: a chain goes on where it was`, async () => {
      const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
      const tools = [{ type: "function", name: "get_weather", parameters, strict: false }];
      const input = `${model}, tell me the weather in Oslo`;
      const first = await responses.create({ model: "auto", input, tools });
      const output = { type: "function_call_output", call_id: first.output[0].call_id, output: "21 degrees" };
      const previous_response_id = first.id;
      const second = await responses.create({ model: "auto", input: [output], tools, previous_response_id });
      assert.equal(second.previous_response_id, first.id);
      assert.equal(second.output_text, "It is 21 degrees in Oslo.");
    });

    stateful(`${model}: a response is read again until it is deleted`, async () => {
      const input = `${model}, please say hello`;
      const response = await responses.stream({ model: "auto", input }).finalResponse();
      const again = await responses.retrieve(response.id);
      assert.deepEqual([again.id, again.output_text], [response.id, response.output_text]);
      const items = [];
      for await (const item of responses.inputItems.list(response.id)) items.push(item);
      assert.deepEqual(items.map((item) => item.content[0].text), [input]);
      await responses.delete(response.id);
      await assert.rejects(responses.retrieve(response.id), OpenAI.NotFoundError);
    });
  }
});
