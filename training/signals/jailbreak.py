"""Samples of the jailbreak head: attacks, injections, and the harmless texts that resemble them.

The head reads windows of `WINDOW` tokens, so most samples are as long as one: attacks stand at any place in it, between harmless texts.
Whole frames (`attacks.FRAME`), the second half of BIPIA's payloads and `gpteacher_roleplay_benign` are development only.
"""

import re

import attacks
import corpus
import frames
import generate

# Characters that about fill a window of 128 tokens.
WINDOW_CHARS = 480
IMPERATIVE = re.compile(r"^(write|explain|describe|create|design|make|give|list|suggest|compose|generate|find|compare|summari[sz]e|outline|plan|tell|name|provide|identify|discuss|propose|develop|construct|come up|think of)\b", re.I)


def public_attacks(data):
    """(source, text with a placeholder for the request, dev) of the collections of jailbreaks."""
    out = []
    for name in ("jailbreak_inthewild", "gptfuzzer_templates", "jailbreak_dan", "jailbreak_tap"):
        for row in corpus.rows(data, name):
            text = row["text"].replace("{generator.name}", "ChatGPT")
            out.append((name, text, corpus.is_dev(row["text"])))
    return out


def requests(data):
    """Harmful requests fit to be framed, of the training and of the development part."""
    kept = [r for r in corpus.rows(data, "harmful_requests") if r["source"] in ("harmbench", "advbench", "donotanswer/malicious_uses") or (r["source"].endswith("information_hazard") and r["text"].lower().startswith("how"))]
    texts = [r["text"].strip() for r in kept]
    return [t for t in texts if not corpus.is_dev(t)], [t for t in texts if corpus.is_dev(t)]


def harmless_goals(data):
    """Imperative requests of users (training part), as verb phrases."""
    texts = [r["text"].split("\n")[0].strip() for r in corpus.rows(data, "halueval_general")]
    texts = [t for t in texts if IMPERATIVE.match(t) and len(t) < 140 and not corpus.is_dev(t)]
    return [attacks.act(t) for t in texts]


def documents(data):
    """(text, question or None, dev): contexts of BIPIA and tool results of sessions."""
    out = [(str(r["context"]), r["question"], r["split"] == "test") for r in corpus.rows(data, "bipia_contexts")]
    for session in corpus.sessions(data):
        dev = corpus.is_dev(session["session_id"])
        texts = [corpus.message_text(m) for m in session["messages"] if m["role"] == "tool"]
        out += [(t, None, dev) for t in texts if len(t) > 20]
    return out


def piece(rng, text, low=60, high=WINDOW_CHARS):
    """A random part of a text, cut at spaces."""
    return text if len(text) <= low else corpus.snippets(text, rng, 1, low, min(high, len(text)))[0]


def goal(rng, asks):
    """A harmful goal (verb phrase) and the request it comes from."""
    ask = rng.choice(asks)
    verb = re.sub(r"^(can|could|would) you (please )?(help me |tell me |show me )?(how (to|i can) )?", "", ask.strip(), flags=re.I)
    verb = re.sub(r"^what('s| is| are) (the )?(best|most effective|easiest|quickest|good|some|two)?\s*(ways?|methods?|steps?) (to|of|for) ", "", verb, flags=re.I)
    verb = re.sub(r"^(give|provide) (me )?(detailed )?(step-by-step )?(instructions|a tutorial) (for|on|to) ((how to) )?", "", verb, flags=re.I)
    return attacks.act(verb), ask


def harmless_goal(rng, goals):
    """A harmless goal, a third of them of the kind that sounds like harm."""
    roll = rng.random()
    return rng.choice(frames.SENSITIVE_GOALS) if roll < 0.35 else rng.choice(attacks.BENIGN_GOALS) if roll < 0.45 else rng.choice(goals)


class Builder:
    """Collects samples; the parts of the data are read once."""

    def __init__(self, data, rng, sample, leave_out):
        self.data, self.rng, self.sample, self.leave_out = data, rng, sample, leave_out
        self.out = []
        self.train_asks, self.dev_asks = requests(data)
        self.goals = harmless_goals(data)
        docs = documents(data)
        self.docs = {part: {kind: [d for d in docs if d[2] == part and (d[1] is None) == (kind == "tool")] for kind in ("tool", "context")} for part in (False, True)}
        payloads = [(r["attack"], r["split"] == "test") for r in corpus.rows(data, "bipia_attacks")]
        self.payloads = {part: [t for t, p in payloads if p == part] for part in (False, True)}
        self.users = [r["text"] for r in corpus.rows(data, "halueval_general") if not corpus.is_dev(r["text"])]
        self.short_attacks = []

    def add(self, text, target, source, dev, lang="en", weight=1.0):
        """Appends a sample unless its source is left out of training."""
        if text and text.strip() and (dev or source not in self.leave_out):
            self.out.append(self.sample("jailbreak", text.strip(), target, source, dev, lang, weight))
            if target == 1 and not dev and len(text) < 420 and source not in ("gen_embedded", "bipia_inserted"):
                self.short_attacks.append((text, lang))

    def document(self, dev):
        """A harmless document."""
        return self.rng.choice(self.docs[dev]["context" if self.rng.random() < 0.5 else "tool"])[0]

    def collections(self):
        """Public jailbreaks: whole, and windows of the long ones (some windows show little: they weigh less)."""
        rng = self.rng
        for name, text, dev in public_attacks(self.data):
            filled = lambda: text.replace("[INSERT PROMPT HERE]", rng.choice(self.dev_asks if dev else self.train_asks))
            self.add(filled(), 1, name, dev)
            if dev:
                continue
            self.add(filled()[:rng.randint(300, 1200)], 1, name, dev)
            self.add(filled()[-rng.randint(300, 600):], 1, name, dev, weight=0.6)
            for _ in range(3 if len(text) > 600 else 1):
                self.add(piece(rng, filled(), 250, WINDOW_CHARS), 1, name, dev, weight=0.4)
        for row in corpus.rows(self.data, "sysprompt_extraction"):
            dev = corpus.is_dev(row["text"])
            for _ in range(1 if dev else 6):
                self.add(row["text"] if dev else generate.noise(row["text"], rng), 1, "sysprompt_extraction", dev)

    def generated(self):
        """Direct attacks: overrides, extraction, frames in eleven languages."""
        rng = self.rng
        for _ in range(3800):
            text, lang, group = attacks.override(rng)
            dev = generate.group_dev(group)
            if rng.random() < 0.08:
                text = attacks.obfuscate(rng, text)
            elif rng.random() < 0.35:
                ask = rng.choice(self.dev_asks if dev else self.train_asks)
                text = text + rng.choice(["\n", " "]) + ask if rng.random() < 0.7 else ask + rng.choice(["\n", " "]) + text
            self.add(text, 1, "gen_override", dev, lang)
        for _ in range(1300):
            text, lang, group = attacks.extraction(rng)
            self.add(generate.noise(text, rng), 1, "gen_extraction", generate.group_dev(group), lang)
        for _ in range(1800):
            lang = "en" if rng.random() < 0.6 else rng.choice(list(frames.EXTRACT_PARTS))
            self.add(generate.noise(frames.extraction(rng, lang), rng), 1, "gen_extraction_parts", False, lang)
        for _ in range(6500):
            self.add(frames.composed(rng, *goal(rng, self.train_asks)), 1, "gen_composed", False)
        for _ in range(900):
            lang = rng.choice(list(frames.FRAME_OTHER))
            self.add(frames.framed_other(rng, lang, rng.choice(attacks.ACTIONS[lang])), 1, "gen_framed_other", False, lang)
        for frame in attacks.FRAME:
            for _ in range(16):
                self.add(frame.replace("{h}", attacks.act(rng.choice(self.dev_asks))), 1, "gen_pair", True)

    def injections(self):
        """Instructions hidden in documents and tool results, and the documents without them."""
        rng = self.rng
        for number in range(6500):
            dev = number % 10 == 0
            document = self.document(dev)
            roll = rng.random()
            if roll < 0.4:
                while True:
                    text, lang, group = attacks.embedded(rng)
                    if generate.group_dev(group) == dev:
                        break
                source = "gen_embedded"
            elif roll < 0.62 or dev:
                text, lang, source = rng.choice(self.payloads[dev]), "en", "bipia_inserted"
                if not dev and rng.random() < 0.3:
                    text = frames.alien(rng, text, attacks.NAMES, attacks.MAILS, attacks.URLS)
            else:
                text, lang, source = frames.alien(rng, rng.choice(self.users)[:200], attacks.NAMES, attacks.MAILS, attacks.URLS), "en", "gen_alien"
            self.add(attacks.insert(rng, document, text[:350], 2500 if dev else WINDOW_CHARS), 1, source, dev, lang)
        for part in (False, True):
            for document, question, _ in self.docs[part]["context"]:
                for _ in range(1 if part else 4):
                    self.add(document if part else piece(rng, document), 0, "bipia_context", part)
                if not part:
                    text = piece(rng, document)
                    self.add(question + "\n" + text if rng.random() < 0.5 else text + "\n" + question, 0, "bipia_question", part)
            tools = self.docs[part]["tool"]
            for document, _, _ in rng.sample(tools, min(len(tools), 400 if part else 3000)):
                self.add(document[:2000] if part else piece(rng, document), 0, "session_tool", part)
        for _ in range(3500):
            first, second = self.document(False), self.document(False)
            size = rng.randint(80, WINDOW_CHARS - 80)
            self.add(first[-size:] + "\n\n" + second[:WINDOW_CHARS - size], 0, "joined_documents", False)
        for row in rng.sample(corpus.rows(self.data, "halueval_general"), 1200):
            if not corpus.is_dev(row["text"]):
                ask = rng.choice(["Summarise this text:", "Translate into German:", "Fix the grammar of the following.", "What is the main idea here?", "Rewrite this as a list:", row["text"]])
                self.add(ask + "\n" + piece(rng, row["response"], 60, 400), 0, "text_question", False)

    def negatives(self):
        """Role play, security, plain harm, ordinary prompts, sessions."""
        rng, data = self.rng, self.data
        for _ in range(4000):
            self.add(frames.composed(rng, *(lambda g: (g, g[:1].upper() + g[1:] + "."))(harmless_goal(rng, self.goals))), 0, "gen_composed", False)
        for _ in range(3500):
            self.add(generate.noise(frames.role_play(rng, harmless_goal(rng, self.goals)), rng), 0, "gen_role", False)
        for _ in range(900):
            self.add(generate.noise(frames.show(rng), rng), 0, "gen_show", False)
        for _ in range(1200):
            self.add(frames.system_prompt(rng), 0, "gen_system", False)
        for _ in range(500):
            lang = rng.choice(list(frames.FRAME_OTHER))
            self.add(frames.framed_other(rng, lang, rng.choice(frames.HARMLESS_OTHER[lang])), 0, "gen_framed_other", False, lang)
        for _ in range(1500):
            lang, bank = "en", attacks.SECURITY
            if rng.random() < 0.5:
                lang = rng.choice(list(attacks.SECURITY_OTHER))
                bank = attacks.SECURITY_OTHER[lang]
            index = rng.randrange(len(bank))
            self.add(generate.noise(bank[index], rng), 0, "gen_security", generate.group_dev(f"sec:{lang}:{index}"), lang)
        for index, frame in enumerate(attacks.BENIGN_FRAME):
            for _ in range(14):
                self.add(frame.replace("{b}", rng.choice(attacks.BENIGN_GOALS + frames.SENSITIVE_GOALS)), 0, "gen_benign_frame", True)
        for row in corpus.rows(data, "harmful_requests"):
            self.add(row["text"], 0, "harmful_requests", corpus.is_dev(row["text"]), weight=0.6)
        self.plain("gpteacher_roleplay_benign", [r["text"] for r in corpus.rows(data, "gpteacher_roleplay_benign")], 600, only_dev=True)
        self.plain("hh_user", [t["content"] for r in corpus.rows(data, "hh_harmless_multiturn") for t in r["turns"] if t["role"] == "user"], 3000)
        self.plain("hh_assistant", [t["content"] for r in corpus.rows(data, "hh_harmless_multiturn") for t in r["turns"] if t["role"] == "assistant"], 900)
        self.plain("halueval_general", [r["text"] for r in corpus.rows(data, "halueval_general")], 3000)
        self.plain("halueval_response", [r["response"] for r in corpus.rows(data, "halueval_general")], 1800)
        self.plain("clinc150", [r["text"] for r in corpus.rows(data, "clinc150")], 1200)
        self.plain("mmlu_choices", [r["text"] for r in corpus.rows(data, "mmlu_domain")], 2000)
        self.plain("nq_open_dev", [r["text"] for r in corpus.rows(data, "nq_open_dev")], 500)
        self.plain("llmrouter9", [r["prompt"][:1500] for r in corpus.routing(data, "llmrouter9", "train")], 1000)
        for row in corpus.rows(data, "langid_sentences"):
            if row["lang"] in generate.LANGUAGES and row["lang"] != "en":
                self.add(row["text"], 0, "langid_sentences", corpus.is_dev(row["text"]), row["lang"])
        for text, _, lang, group in generate.feedback(rng, 500) + generate.fact_check(rng, 700):
            self.add(text, 0, "gen_plain", generate.group_dev(group), lang)
        for name in ("alpaca_seed", "self_instruct_user"):
            self.plain(name, [r["text"] + "\n" + r.get("input", "") for r in corpus.rows(data, name)], 400, only_dev=True)
        for session in corpus.sessions(data):
            dev = corpus.is_dev(session["session_id"])
            for message in session["messages"]:
                text = corpus.message_text(message)
                chance = {"user": 0.5, "system": 1.0, "assistant": 0.12}.get(message["role"], 0)
                if text and rng.random() < chance:
                    for _ in range(5 if message["role"] == "system" and len(text) > 1000 and not dev else 1):
                        self.add(text[:2000] if dev else piece(rng, text), 0, "session_" + message["role"], dev)

    def plain(self, source, texts, count, only_dev=False):
        """Harmless texts of a set."""
        for text in self.rng.sample(texts, min(count, len(texts))):
            dev = only_dev or corpus.is_dev(text)
            self.add(text if dev else piece(self.rng, text, 400, 600), 0, source, dev)

    def padded(self, count=9000):
        """Attacks between harmless texts at any place of a window, and harmless texts alone joined in the same way."""
        rng = self.rng
        calm = [s.text for s in self.out if not s.dev and s.target == 0 and s.source not in ("gen_composed", "gen_role", "harmful_requests", "gen_security")]
        odd = [s.text for s in self.out if not s.dev and s.target == 0]
        for number in range(count):
            harmful = number % 5 < 3
            text, lang = rng.choice(self.short_attacks) if harmful else (rng.choice(odd), "en")
            room = max(40, WINDOW_CHARS + 60 - len(text))
            before = rng.choice([0, room, rng.randint(0, room)])
            left, right = piece(rng, rng.choice(calm), 20, max(40, before)) if before > 20 else "", piece(rng, rng.choice(calm), 20, max(40, room - before)) if room - before > 20 else ""
            gap = rng.choice([" ", "\n", "\n\n"])
            self.add(gap.join(p for p in (left[-before:] if before else "", text[:500], right[:room - before]) if p), int(harmful), "gen_padded", False, lang)


    def accompanied(self, count=8000):
        """Attacks and harmless texts with a few sentences about other things before or after them."""
        rng = self.rng
        calm = [s.text for s in self.out if not s.dev and s.target == 0 and len(s.text) < 160 and s.source in ("hh_user", "halueval_general", "clinc150", "gen_plain", "nq_open_dev")]
        odd = [s.text for s in self.out if not s.dev and s.target == 0 and s.source not in ("gen_padded", "joined_documents")]
        for number in range(count):
            harmful = number % 3 < 2
            text, lang = rng.choice(self.short_attacks) if harmful else (rng.choice(odd)[:500], "en")
            roll = rng.random()
            before, after = frames.asides(rng, calm) if roll > 0.55 else "", frames.asides(rng, calm) if roll < 0.7 else ""
            self.add(rng.choice([" ", "\n"]).join(p for p in (before, text, after) if p), int(harmful), "gen_accompanied", False, lang, 1.5)


def samples(data, rng, sample, leave_out=()):
    """All samples of the head. `sample` makes one; sources of `leave_out` are kept out of training."""
    builder = Builder(data, rng, sample, set(leave_out))
    builder.collections()
    builder.generated()
    builder.injections()
    builder.negatives()
    builder.padded()
    builder.accompanied()
    return builder.out
