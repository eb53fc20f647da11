// A client of the router that `ROUTER_URL` names. A question names the model that it wants; see ../../configs.py.
const OpenAI = require("openai");
const { z } = require("zod");

const SIMULATED = ["simulated-chat", "simulated-messages"];
const REAL = ["llama-chat", "llama-messages"];
const GREETING = "Grüße aus dem Simulator: 你好 🌍, and a good day to everybody who reads this.";
const DEGREES = { Oslo: 21, Rome: 30, "Oslo, Norway": 12, Bergen: 9 };

const GetWeather = z.object({ city: z.string() });
const ToFahrenheit = z.object({ celsius: z.number() });
const Programmer = z.object({ name: z.string(), born: z.number() });

// Generation is slow on a busy machine.
const client = new OpenAI({ baseURL: `${process.env.ROUTER_URL}/v1`, apiKey: "k", maxRetries: 0, timeout: 120_000 });

module.exports = { OpenAI, client, SIMULATED, REAL, GREETING, DEGREES, GetWeather, ToFahrenheit, Programmer };
