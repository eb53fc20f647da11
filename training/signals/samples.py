"""Writes the held-out samples that `cargo run --release -p vsr-eval --example quality` scores the shipped models on, with the shipped engine."""

import argparse
import json
import random

import corpus
import pii
import tasks


def main():
    """Command line: data folder in, JSON lines out."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--cap", type=int, default=250, help="the most rows of one source")
    args = arguments.parse_args()
    rng = random.Random(23)
    with open(args.out, "w", encoding="utf-8") as out:

        def write(**row):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")

        by_source = {}
        for sample in tasks.all_samples(args.data):
            if sample.dev:
                by_source.setdefault((sample.head, sample.source), []).append(sample)
        for (head, source), samples in sorted(by_source.items()):
            labels = tasks.LABELS[head]
            cap = args.cap * 4 if head == "domain" else args.cap
            for sample in rng.sample(samples, min(cap, len(samples))):
                label = labels[int(sample.target >= 0.5)] if head == "complexity" else labels[int(sample.target)]
                write(kind="class", head=head, text=sample.text, label=label, source=source, language=sample.language)
        for session in filter(lambda it: corpus.is_dev(it["session_id"]), corpus.sessions(args.data)):
            text = "\n".join(filter(None, map(corpus.message_text, session["messages"])))
            write(kind="class", head="jailbreak", text=text[:48000], label="benign", source="whole_session", language="en")
        for text, spans, source, dev in pii.samples(args.data, rng, 1500):
            if dev:
                write(kind="entities", text=text, spans=[list(span) for span in spans], source=source)
        for row in rng.sample(corpus.rows(args.data, "sts12_16"), 2000):
            write(kind="similarity", left=row["a"], right=row["b"], score=row["score"])


if __name__ == "__main__":
    main()
