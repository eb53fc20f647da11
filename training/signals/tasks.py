"""Labelled samples of every head, each with its source, language and part.

Sources under a permissive licence are split into train and dev by the hash of their group (near duplicates and templates share one).
Sources that only evaluate are always dev.
"""

import random
import re
from dataclasses import dataclass

import corpus
import frames
import generate
import jailbreak as attack_samples

DOMAINS = ["biology", "business", "chemistry", "computer science", "economics", "engineering", "health", "history", "law", "math", "other", "philosophy", "physics", "psychology"]
LABELS = {
    "domain": DOMAINS,
    "jailbreak": ["benign", "jailbreak"],
    "fact_check": ["no_fact_check_needed", "needs_fact_check"],
    "user_feedback": ["satisfied", "need_clarification", "wrong_answer", "want_different"],
    "modality": ["AR", "DIFFUSION", "BOTH"],
    "complexity": ["easy", "hard"],
}
PICTURE = re.compile("image|picture|draw|illustrat|logo|photo|paint", re.I)


@dataclass
class Sample:
    """One text of one head. `target` is the label index, or a probability of the last label for complexity."""

    head: str
    text: str
    target: float
    source: str
    dev: bool
    language: str = "en"
    weight: float = 1.0


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
        for _ in range(20):
            text, index = generate.conversational(row["stem"], rng)
            if dev == (index % 4 == 0 and index < generate.FIRST_REWRITES):
                out.append(Sample("domain", text, y, "mmlu_chat", dev))
                break
    other = [r["text"] for r in corpus.rows(data, "clinc150") if r["domain"] in ("small_talk", "meta", "home", "travel") and r["split"] == "train"]
    rng.shuffle(other)
    return out + _split("domain", [(t, DOMAINS.index("other")) for t in other[:500]], "clinc_chat")


def jailbreak(data, rng, leave_out=()):
    """Attacks against plain, role-play, security, document and agent texts, as long as a window of the scan."""
    return attack_samples.samples(data, rng, Sample, leave_out)


def fact_check(data, rng):
    """Questions that ask for a checkable fact against creative, coding, arithmetic, social and editing requests."""
    out = _split("fact_check", [(r["text"], 1) for r in corpus.rows(data, "nq_open_dev")], "nq_open_dev")
    out += _split("fact_check", [(r["text"], 1) for r in corpus.rows(data, "efficientqa_dev")], "efficientqa_dev")
    routed = corpus.routing(data, "llmrouter9", "train")
    for subset, y in (("trivia_qa", 1), ("natural_qa", 1), ("mbpp", 0), ("human_eval", 0), ("gsm8k", 0), ("math", 0), ("commongen", 0)):
        out += _split("fact_check", [(r["prompt"][:800], y) for r in routed if r["subset"] == subset], f"llmrouter9_{subset}")
    role = corpus.rows(data, "gpteacher_roleplay_benign")
    out += _split("fact_check", [(r["text"], 0) for r in rng.sample(role, 300)], "gpteacher_roleplay_benign", only_dev=True)
    goals = attack_samples.harmless_goals(data)
    out += [Sample("fact_check", generate.noise(frames.role_play(rng, rng.choice(goals)), rng), 0, "gen_role", False) for _ in range(1200)]
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
                        ("gen_role", [frames.role_play(rng, g) for g in rng.choices(attack_samples.harmless_goals(data), k=700)])):
        out += [s for s in _split("modality", [(t, 0) for t in texts], name) if not re.search(PICTURE, s.text)]
    out += _split("modality", [(r["text"], 0) for r in corpus.rows(data, "self_instruct_user")], "self_instruct_user", only_dev=True)
    role = [r["text"] for r in rng.sample(corpus.rows(data, "gpteacher_roleplay_benign"), 300)]
    out += _split("modality", [(t, 0) for t in role if not re.search(PICTURE, t)], "gpteacher_roleplay_benign", only_dev=True)
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


def all_samples(data, seed=17, leave_out=()):
    """Samples of all heads, deterministic for a seed; jailbreak sources of `leave_out` are kept out of training."""
    out = []
    for number, build in enumerate((domain, jailbreak, fact_check, user_feedback, modality, complexity)):
        rng = random.Random(seed + number)
        out += build(data, rng, leave_out) if build is jailbreak else build(data, rng)
    return out
