"""Reads the data sets given by path, splits them deterministically and lists the texts used for distillation.

Sets without a permissive licence (EVALUATE_ONLY) are never read by the functions that feed training.
"""

import ast
import hashlib
import json
import os
import random
import re

EVALUATE_ONLY = {"alpaca_seed", "self_instruct_user", "t2i_compbench", "sts12_16", "uss_satisfaction_turns", "fake_identities_3000", "gpteacher_roleplay_benign"}
PO_LANGUAGES = {
    "zh_Hans": 1.0, "zh_Hant": 0.6, "es": 1.0, "de": 1.0, "fr": 1.0, "ru": 1.0, "ja": 1.0, "ko": 1.0, "pt_BR": 0.8, "pt": 0.6, "ar": 1.0,
    "hi": 1.0, "it": 0.7, "nl": 0.5, "pl": 0.5, "uk": 0.5, "tr": 0.5, "vi": 0.7, "id": 0.7, "id_ID": 0.5, "cs": 0.4, "sv": 0.4, "da": 0.3, "fi": 0.4, "el": 0.5,
    "he": 0.5, "he_IL": 0.4, "th": 0.5, "fa": 0.5, "ro": 0.4, "hu": 0.4, "bg": 0.3, "sk": 0.2, "hr": 0.2, "ca": 0.3, "nb": 0.2,
}


def rows(data, name):
    """All rows of `<data>/signals/<name>/data.jsonl`."""
    with open(os.path.join(data, "signals", name, "data.jsonl"), encoding="utf-8") as handle:
        return [json.loads(line) for line in handle]


def routing(data, name, part):
    """Rows of a routing outcome file in the given part that carry a prompt."""
    with open(os.path.join(data, "routing", name + ".jsonl"), encoding="utf-8") as handle:
        found = [json.loads(line) for line in handle]
    return [row for row in found if row["part"] == part and row.get("prompt")]


def sessions(data):
    """The recorded agent sessions, each with its messages."""
    with open(os.path.join(data, "routing", "sessions.jsonl"), encoding="utf-8") as handle:
        return [json.loads(line) for line in handle]


def group_key(text):
    """A key that near duplicates share: letters of the first 200 characters, digits and spacing dropped."""
    return re.sub(r"[^\w]|\d|_", "", text.lower())[:200]


def is_dev(text, fifth=0):
    """Deterministic split: one fifth of the groups is the development part."""
    return int(hashlib.sha256(group_key(text).encode()).hexdigest()[:8], 16) % 5 == fifth


def message_text(message):
    """The plain text of a chat message."""
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def po_strings(root):
    """(language, text) pairs of the `msgstr` entries under `root`, format directives removed."""
    found = set()
    for folder, _, files in os.walk(root):
        match = re.search(r"/locale/([^/]+)/LC_MESSAGES$", folder)
        if not match or match.group(1) not in PO_LANGUAGES:
            continue
        for name in files:
            if not name.endswith(".po"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as handle:
                body = handle.read()
            for block in re.findall(r'^msgstr(?:\[\d\])? ((?:"(?:[^"\\]|\\.)*"\n?)+)', body, re.M):
                try:
                    text = "".join(ast.literal_eval(line) for line in block.strip().split("\n"))
                except (SyntaxError, ValueError):
                    continue
                text = re.sub(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z_ ]*\}|<[^>]*>", "", text).strip()
                if len(text) >= 8:
                    found.add((match.group(1), text))
    return sorted(found)


def snippets(text, rng, count, low=80, high=500):
    """`count` random word-aligned pieces of a long text."""
    out = []
    for _ in range(count):
        size = rng.randint(low, high)
        start = rng.randint(0, max(0, len(text) - size))
        if start:
            start = text.find(" ", start) + 1
        out.append(text[start:start + size].strip())
    return out


def distillation_texts(data, po_root, seed=11):
    """Unlabelled texts on which the student copies the teacher's embedding: training parts only, permissive licences only."""
    rng = random.Random(seed)
    out = []

    def add(texts, limit=None):
        texts = [t for t in dict.fromkeys(texts) if len(t) >= 4 and not is_dev(t)]
        rng.shuffle(texts)
        out.extend(t[:600] for t in texts[:limit])

    add([r["text"] for r in rows(data, "clinc150") if r["split"].endswith("train")], 8000)
    mmlu = rows(data, "mmlu_domain")
    add([r["stem"] for r in mmlu])
    add([r["text"] for r in mmlu if not is_dev(r["stem"])], 2500)
    for name in ("nq_open_dev", "efficientqa_dev", "parti_prompts", "vbench_video", "harmful_requests"):
        add([r["text"] for r in rows(data, name)])
    halueval = rows(data, "halueval_general")
    add([r["text"] for r in halueval])
    add([r["response"][:300] for r in halueval], 2500)
    turns = [t["content"] for r in rows(data, "hh_harmless_multiturn") for t in r["turns"]]
    add(turns, 6000)
    claims = rows(data, "factscore_claims")
    add([r["claim"] for r in claims], 3500)
    add([r["sentence"] for r in claims], 3500)
    add([" ".join(r["triplet"]) if isinstance(r["triplet"], list) else r["triplet"] for r in rows(data, "refchecker")], 2500)
    add([r["response"][:300] for r in rows(data, "refchecker")], 1200)
    add([" ".join(r["tokens"]) for r in rows(data, "wikigold")])
    for name in ("jailbreak_inthewild", "gptfuzzer_templates", "jailbreak_dan"):
        add([s for r in rows(data, name) if not is_dev(r["text"]) for s in snippets(r["text"], rng, 2)], 1000)
    add([s for r in rows(data, "bipia_contexts") if r["split"] == "train" for s in snippets(str(r["context"]), rng, 1)])
    for name in ("llmrouter9", "zeroeval", "routellm_gsm8k"):
        add([r["prompt"][:400] for r in routing(data, name, "train")], 1500)
    add([s for r in sessions(data) for m in r["messages"][1:] if m["role"] in ("user", "tool") for s in snippets(message_text(m), rng, 1)], 2500)
    add([r["text"] for r in rows(data, "langid_sentences")])
    add([r["text"] for r in rows(data, "langid_word_pairs")], 1500)
    if po_root:
        add([t for lang, t in po_strings(po_root) if rng.random() < PO_LANGUAGES[lang] * 0.75])
    return list(dict.fromkeys(out))
