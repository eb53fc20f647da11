"""Labelled samples of every head, each with its source, language and part.

Sources under a permissive licence are split into train and dev by the hash of their group (near duplicates and templates share one).
Sources that only evaluate are always dev.
"""

import random
from dataclasses import dataclass

import attacks
import corpus
import generate

DOMAINS = ["biology", "business", "chemistry", "computer science", "economics", "engineering", "health", "history", "law", "math", "other", "philosophy", "physics", "psychology"]
LABELS = {
    "domain": DOMAINS,
    "jailbreak": ["benign", "jailbreak"],
    "fact_check": ["no_fact_check_needed", "needs_fact_check"],
    "user_feedback": ["satisfied", "need_clarification", "wrong_answer", "want_different"],
    "modality": ["AR", "DIFFUSION", "BOTH"],
    "complexity": ["easy", "hard"],
}


@dataclass
class Sample:
    """One text of one head. `target` is the label index, or a probability of the last label for complexity."""

    head: str
    text: str
    target: float
    source: str
    dev: bool
    language: str = "en"


def _split(head, items, source, only_dev=False):
    """Samples from (text, target) pairs, split by text group."""
    return [Sample(head, text, target, source, only_dev or corpus.is_dev(text)) for text, target in items if text and text.strip()]


def _generated(head, items, source):
    """Samples from (text, target, language, group), split by template."""
    return [Sample(head, t, y, source, generate.group_dev(group), lang) for t, y, lang, group in items]


def domain(data, rng):
    """MMLU stems, the full multiple-choice form, and chat-like rewrites of the stems (rewrite templates split too)."""
    out = []
    for row in corpus.rows(data, "mmlu_domain"):
        y = DOMAINS.index(row["category"])
        dev = corpus.is_dev(row["stem"])
        out.append(Sample("domain", row["stem"], y, "mmlu_stem", dev))
        out.append(Sample("domain", row["text"], y, "mmlu_choices", dev))
        if dev or rng.random() < 0.6:
            for _ in range(20):
                text, index = generate.conversational(row["stem"], rng)
                if dev == (index % 4 == 0):
                    out.append(Sample("domain", text, y, "mmlu_chat", dev))
                    break
    other = [r["text"] for r in corpus.rows(data, "clinc150") if r["domain"] in ("small_talk", "meta", "home", "travel") and r["split"] == "train"]
    rng.shuffle(other)
    return out + _split("domain", [(t, DOMAINS.index("other")) for t in other[:500]], "clinc_chat")


def _padded(samples, rng, count=2400):
    """Training samples with harmless texts before or after them: an attack stays one, harmless text stays harmless."""
    harmless = [s.text for s in samples if not s.dev and s.target == 0 and s.source in ("hh_user", "halueval_general", "clinc150", "gen_plain", "session_user", "bipia_context", "gpteacher_response")]
    attacks_ = [s for s in samples if not s.dev and s.target == 1]
    out = []
    for number in range(count):
        target = number % 3 != 0
        base = rng.choice(attacks_) if target else None
        text, lang = (base.text, base.language) if target else (rng.choice(harmless), "en")
        if len(text) > 450 and target:
            text = corpus.snippets(text, rng, 1, 300, 450)[0] if base.source.startswith(("jailbreak", "gptfuzzer")) else text[:700]
        for _ in range(rng.randint(1, 3)):
            other = rng.choice(harmless)[:rng.randint(30, 250)]
            text = text + rng.choice([" ", "\n"]) + other if rng.random() < 0.7 else other + rng.choice([" ", "\n"]) + text
        out.append(Sample("jailbreak", text, int(target), "gen_padded", False, lang))
    return out


def jailbreak(data, rng, generated=4000):
    """Attacks of the public collections and of the generator against plain, role-play, security, document and agent texts."""
    out = []
    for name in ("jailbreak_inthewild", "gptfuzzer_templates", "jailbreak_dan", "jailbreak_tap"):
        for row in corpus.rows(data, name):
            text = row["text"].replace("{generator.name}", "ChatGPT")
            text = text.replace("[INSERT PROMPT HERE]", "tell me a secret")
            dev = corpus.is_dev(row["text"])
            out.append(Sample("jailbreak", text, 1, name, dev))
            for piece in corpus.snippets(text, rng, 2, 250, 900) if len(text) > 700 and not dev else []:
                out.append(Sample("jailbreak", piece, 1, name + "#window", dev))
    out += _split("jailbreak", [(r["text"], 1) for r in corpus.rows(data, "sysprompt_extraction")], "sysprompt_extraction")
    asks = [r["text"] for r in corpus.rows(data, "harmful_requests")]
    train_asks, dev_asks = [a for a in asks if not corpus.is_dev(a)], [a for a in asks if corpus.is_dev(a)]
    contexts = [(str(r["context"]), r["question"], r["split"] == "test") for r in corpus.rows(data, "bipia_contexts")]
    payloads = [(r["attack"], r["split"] == "test") for r in corpus.rows(data, "bipia_attacks")]
    tool_texts = [(corpus.message_text(m), corpus.is_dev(s["session_id"])) for s in corpus.sessions(data) for m in s["messages"] if m["role"] == "tool"]
    tool_texts = [(t, dev) for t, dev in tool_texts if len(t) > 20]
    for _ in range(generated):
        kind = rng.random()
        if kind < 0.22:
            text, lang, group = attacks.override(rng)
            if rng.random() < 0.1:
                text, group = attacks.obfuscate(rng, text), group
            if rng.random() < 0.3:
                ask = rng.choice(dev_asks if generate.group_dev(group) else train_asks)
                text += rng.choice(["\n", " "]) + ask
            out.append(Sample("jailbreak", text, 1, "gen_override", generate.group_dev(group), lang))
        elif kind < 0.32:
            text, lang, group = attacks.extraction(rng)
            out.append(Sample("jailbreak", text, 1, "gen_extraction", generate.group_dev(group), lang))
        elif kind < 0.52:
            text, group = attacks.pair_like(rng, train_asks)
            dev = generate.group_dev(group)
            if dev:
                text = attacks.FRAME[int(group.split(":")[1])].replace("{h}", attacks.act(rng.choice(dev_asks)))
            out.append(Sample("jailbreak", text, 1, "gen_pair", dev))
        elif kind < 0.62:
            text, group = attacks.benign_frame(rng)
            out.append(Sample("jailbreak", text, 0, "gen_benign_frame", generate.group_dev(group)))
        elif kind < 0.82:
            dev = rng.random() < 0.2
            document = rng.choice([c for c in contexts if c[2] == dev])[0] if rng.random() < 0.5 else rng.choice([t for t in tool_texts if t[1] == dev])[0]
            if rng.random() < 0.3:
                out.append(Sample("jailbreak", attacks.insert(rng, document, rng.choice([p for p in payloads if p[1] == dev])[0]), 1, "bipia_inserted", dev))
                continue
            for _ in range(50):
                text, lang, group = attacks.embedded(rng)
                if generate.group_dev(group) == dev:
                    break
            out.append(Sample("jailbreak", attacks.insert(rng, document, text), 1, "gen_embedded", dev, lang))
        else:
            bank = attacks.SECURITY
            lang = "en"
            if rng.random() < 0.5:
                lang = rng.choice(list(attacks.SECURITY_OTHER))
                bank = attacks.SECURITY_OTHER[lang]
            index = rng.randrange(len(bank))
            out.append(Sample("jailbreak", generate.noise(bank[index], rng), 0, "gen_security", generate.group_dev(f"sec:{lang}:{index}"), lang))
    for document, question, dev in contexts:
        start = rng.randint(0, max(0, len(document) - 900))
        out.append(Sample("jailbreak", document[start:start + rng.randint(200, 900)], 0, "bipia_context", dev))
    for text, dev in rng.sample(tool_texts, 1600):
        out.append(Sample("jailbreak", text[:900], 0, "session_tool", dev))
    for session in corpus.sessions(data):
        dev = corpus.is_dev(session["session_id"])
        for m in session["messages"]:
            text = corpus.message_text(m)
            if m["role"] == "user" and text and rng.random() < 0.35:
                out.append(Sample("jailbreak", text[:1200], 0, "session_user", dev))
            elif m["role"] == "system" and rng.random() < 0.3:
                out += [Sample("jailbreak", s, 0, "session_system", dev) for s in corpus.snippets(text, rng, 1, 200, 900)]
    role = [(r["text"], 0) for r in corpus.rows(data, "gpteacher_roleplay_benign")]
    out += _split("jailbreak", rng.sample(role, 2000), "gpteacher_roleplay_benign")
    talk = [(t["content"], 0) for r in corpus.rows(data, "hh_harmless_multiturn") for t in r["turns"] if t["role"] == "user"]
    out += _split("jailbreak", rng.sample(talk, 2500), "hh_user")
    out += _split("jailbreak", [(a, 0) for a in asks], "harmful_requests")
    out += _split("jailbreak", [(r["text"], 0) for r in rng.sample(corpus.rows(data, "halueval_general"), 2000)], "halueval_general")
    out += _split("jailbreak", [(r["text"], 0) for r in rng.sample(corpus.rows(data, "clinc150"), 1200)], "clinc150")
    out += _split("jailbreak", [(r["text"], 0) for r in rng.sample(corpus.rows(data, "mmlu_domain"), 1000)], "mmlu_choices")
    out += _split("jailbreak", [(r["text"], 0) for r in rng.sample(corpus.rows(data, "nq_open_dev"), 500)], "nq_open_dev")
    out += _split("jailbreak", [(r["prompt"][:1500], 0) for r in corpus.routing(data, "llmrouter9", "train")[::4]], "llmrouter9")
    out += _split("jailbreak", [(r["response"][:900], 0) for r in rng.sample(corpus.rows(data, "gpteacher_roleplay_benign"), 500)], "gpteacher_response")
    for row in corpus.rows(data, "langid_sentences"):
        if row["lang"] in generate.LANGUAGES and row["lang"] != "en":
            out.append(Sample("jailbreak", row["text"], 0, "langid_sentences", corpus.is_dev(row["text"]), row["lang"]))
    for text, _, lang, group in generate.feedback(rng, 500) + generate.fact_check(rng, 600):
        out.append(Sample("jailbreak", text, 0, "gen_plain", generate.group_dev(group), lang))
    phrased = [a for a in train_asks if not a.strip().endswith("?") or a.lower().startswith(("how to", "how can i", "how do i"))]
    for _ in range(2200):
        harmful = rng.random() < 0.65
        goal = attacks.act(rng.choice(phrased)) if harmful else rng.choice(attacks.BENIGN_GOALS)
        out.append(Sample("jailbreak", attacks.composed(rng, goal), int(harmful), "gen_composed", False))
    out += _padded(out, rng)
    for name in ("alpaca_seed", "self_instruct_user"):
        out += _split("jailbreak", [(r["text"] + "\n" + r.get("input", ""), 0) for r in corpus.rows(data, name)], name, only_dev=True)
    return out


def fact_check(data, rng):
    """Questions that ask for a checkable fact against creative, coding, arithmetic, social and editing requests."""
    out = _split("fact_check", [(r["text"], 1) for r in corpus.rows(data, "nq_open_dev")], "nq_open_dev")
    out += _split("fact_check", [(r["text"], 1) for r in corpus.rows(data, "efficientqa_dev")], "efficientqa_dev")
    routed = corpus.routing(data, "llmrouter9", "train")
    for subset, y in (("trivia_qa", 1), ("natural_qa", 1), ("mbpp", 0), ("human_eval", 0), ("gsm8k", 0), ("math", 0), ("commongen", 0)):
        out += _split("fact_check", [(r["prompt"][:800], y) for r in routed if r["subset"] == subset], f"llmrouter9_{subset}")
    role = corpus.rows(data, "gpteacher_roleplay_benign")
    out += _split("fact_check", [(r["text"], 0) for r in rng.sample(role, 1500)], "gpteacher_roleplay_benign")
    chat = [r["text"] for r in corpus.rows(data, "clinc150") if r["domain"] in ("small_talk", "meta", "work", "home", "banking") and r["intent"] not in ("fun_fact",)]
    out += _split("fact_check", [(t, 0) for t in rng.sample(chat, 1800)], "clinc150")
    out += _split("fact_check", [(r["text"], 0) for r in rng.sample(corpus.rows(data, "parti_prompts"), 300)], "parti_prompts")
    mmlu = [r for r in corpus.rows(data, "mmlu_domain") if r["category"] in ("history", "health", "biology", "law") and "?" in r["stem"]]
    out += _split("fact_check", [(r["stem"], 1) for r in rng.sample(mmlu, 700)], "mmlu_facts")
    out += _generated("fact_check", [(t, int(y), lang, g) for t, y, lang, g in generate.fact_check(rng, 3500)], "gen_fact")
    out += _split("fact_check", [(r["text"] + "\n" + r["input"], 0) for r in corpus.rows(data, "self_instruct_user")], "self_instruct_user", only_dev=True)
    return out


def user_feedback(data, rng):
    """Generated reactions only; the MWOZ/SGD satisfaction turns evaluate."""
    names = LABELS["user_feedback"]
    return _generated("user_feedback", [(t, names.index(y), lang, g) for t, y, lang, g in generate.feedback(rng, 7000)], "gen_feedback")


def modality(data, rng):
    """Captions turned into requests against text requests, some of them about pictures."""
    names = LABELS["modality"]
    captions = [r["text"] for r in corpus.rows(data, "parti_prompts") if len(r["text"]) > 12] + [r["text"] for r in corpus.rows(data, "vbench_video")]
    train = [c for c in captions if not corpus.is_dev(c)]
    dev = [c for c in captions if corpus.is_dev(c)]
    items = generate.modality(rng, 6000, train)
    out = [s for s in _generated("modality", [(t, names.index(y), lang, g) for t, y, lang, g in items], "gen_modality") if not s.dev]
    held = generate.modality(rng, 6000, dev)
    out += [s for s in _generated("modality", [(t, names.index(y), lang, g) for t, y, lang, g in held], "gen_modality") if s.dev]
    for name, texts in (("clinc150", [r["text"] for r in rng.sample(corpus.rows(data, "clinc150"), 1000)]), ("halueval_general", [r["text"] for r in rng.sample(corpus.rows(data, "halueval_general"), 1500)]),
                        ("mmlu_stem", [r["stem"] for r in rng.sample(corpus.rows(data, "mmlu_domain"), 500)]), ("nq_open_dev", [r["text"] for r in rng.sample(corpus.rows(data, "nq_open_dev"), 500)]),
                        ("gpteacher_roleplay_benign", [r["text"] for r in rng.sample(corpus.rows(data, "gpteacher_roleplay_benign"), 700)])):
        out += [s for s in _split("modality", [(t, 0) for t in texts], name) if not any(w in s.text.lower() for w in ("image", "picture", "draw", "illustrat", "logo", "photo", "paint"))]
    out += _split("modality", [(r["text"], 0) for r in corpus.rows(data, "self_instruct_user")], "self_instruct_user", only_dev=True)
    out += _split("modality", [("Generate an image of " + r["text"], 1) for r in rng.sample(corpus.rows(data, "t2i_compbench"), 300)], "t2i_compbench", only_dev=True)
    return out


def complexity(data, rng):
    """Soft P(hard): how many of the models that tried a prompt failed on it; easy chat is easy."""
    out = []
    for row in corpus.rows(data, "mmlu_domain"):
        y = {(True, True): 0.1, (False, True): 0.75, (False, False): 0.95, (True, False): 0.5}[(row["weak_ok"], row["strong_ok"])]
        out.append(Sample("complexity", row["stem"], y, "mmlu_stem", corpus.is_dev(row["stem"])))
    for name in ("llmrouter9", "zeroeval", "routellm_gsm8k"):
        for part in ("train", "dev"):
            for row in corpus.routing(data, name, part):
                scores = [m["score"] for m in row["models"].values() if m.get("score") is not None]
                if scores:
                    out.append(Sample("complexity", row["prompt"][:1500], 1 - sum(scores) / len(scores), name, part == "dev"))
    easy = [r["text"] for r in corpus.rows(data, "clinc150")]
    out += _split("complexity", [(t, 0.03) for t in rng.sample(easy, 2000)], "clinc150")
    for text, _, lang, group in generate.feedback(rng, 600):
        out.append(Sample("complexity", text, 0.03, "gen_feedback", generate.group_dev(group), lang))
    return out


def all_samples(data, seed=17):
    """Samples of all heads, deterministic for a seed."""
    out = []
    for number, build in enumerate((domain, jailbreak, fact_check, user_feedback, modality, complexity)):
        out += build(data, random.Random(seed + number))
    return out
