"""Trains and evaluates the PII tagger: Rampart's encoder (some of its layers) under the contract's entity types.

Data: templates of presidio-research filled with Faker identities of many locales, its synthetic set v2, WikiGold. All are split by
template (WikiGold by sentence). FakeNameGenerator identities fill held-out templates for evaluation only.
"""

import argparse
import hashlib
import json
import math
import os
import random
import re
import time

import numpy as np
import torch
from faker import Faker
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

import bert
import corpus
import rampart

TYPES = ["PERSON", "ORGANIZATION", "GPE", "STREET_ADDRESS", "ZIP_CODE", "PHONE_NUMBER", "EMAIL_ADDRESS", "DOMAIN_NAME", "IP_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE", "DATE_TIME", "AGE", "NRP"]
LABELS = ["O"] + [f"{p}-{t}" for t in TYPES for p in "BI"]
INDEX = {label: i for i, label in enumerate(LABELS)}
LOCALES = ["en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "es_MX", "it_IT", "pt_BR", "nl_NL", "pl_PL", "sv_SE", "da_DK", "fi_FI", "cs_CZ", "tr_TR", "ru_RU", "en_AU", "en_CA", "vi_VN", "id_ID"]
NATIONS = ["American", "German", "French", "Spanish", "Italian", "Chinese", "Japanese", "Korean", "Indian", "Brazilian", "Mexican", "Russian", "Polish", "Dutch", "Swedish", "Turkish", "Kenyan", "Egyptian", "Canadian", "Greek", "Muslim", "Catholic", "Jewish", "Buddhist", "Hindu", "Republican", "Democrat"]
# More contexts, English and other languages; slots as in the public templates.
EXTRA = [
    "Call me at {{phone_number}} tomorrow", "My SSN is {{ssn}} and my card is {{credit_card_number}}", "{{person}} ({{age}}) works for {{organization}} in {{city}}", "Send it to {{email}} or {{email}}", "Server {{ip_address}} is down", "Driver's license: {{us_driver_license}}",
    "Dear {{person}}, your appointment is on {{date_time}} at {{address}}.", "Invoice to {{organization}}, {{building_number}} {{street_name}}, {{city}} {{zipcode}}", "She is {{age}} years old and lives in {{city}}, {{country}}", "The {{nationality}} team met {{person}} on {{date_time}}.", "name: {{person}}\\nphone: {{phone_number}}\\nemail: {{email}}\\naddress: {{address}}",
    "{\"name\": \"{{person}}\", \"email\": \"{{email}}\", \"ip\": \"{{ip_address}}\", \"zip\": \"{{zipcode}}\"}", "Visit {{url}} for details", "{{person}} told {{person}} about {{organization}}", "Transfer 300 euros to {{iban}}, account holder {{person}}", "My zip code is {{zipcode}}", "I was born on {{date_of_birth}} in {{city}}", "Book a flight from {{city}} to {{city}} for {{person}} on {{date_time}}",
    "Mein Name ist {{person}} und ich wohne in {{city}}.", "Bitte rufen Sie {{person}} unter {{phone_number}} an.", "Meine Adresse ist {{address}}.", "Je m'appelle {{person}} et j'habite à {{city}}.", "Mon adresse est {{address}}.", "Appelez {{person}} au {{phone_number}}.", "Me llamo {{person}} y vivo en {{city}}.", "Mi dirección es {{address}}.", "Llame a {{person}} al {{phone_number}}.", "Mi chiamo {{person}} e vivo a {{city}}.", "Il mio indirizzo è {{address}}.",
    "Meu nome é {{person}} e moro em {{city}}.", "Ligue para {{person}} no {{phone_number}}.", "Ik ben {{person}} uit {{city}}.", "Jag heter {{person}} och bor i {{city}}.", "Меня зовут {{person}}, я живу в городе {{city}}.",
    "The meeting is on {{date_time}}.", "{{organization}} was founded in {{year}} by {{person}}.", "Since {{year}} the {{nationality}} economy has grown.", "He died in {{year}}.", "On {{date_time}}, {{organization}} announced a merger with {{organization}}.", "As a {{nationality}} citizen I can travel to {{country}}.",
    "The {{nation_plural}} celebrate in {{city}} every year.", "The {{nationality}} embassy in {{city}} is closed until {{date_time}}.", "I work at {{organization}}", "{{organization}} and {{organization}} signed a contract in {{year}}", "My {{nationality}} friend {{first_name}} studied at {{organization}} until {{year}}", "{{first_name}} loves {{nationality}} food",
    "The act of {{year}} protects employees of {{organization}}", "Between {{year}} and {{year}} sales at {{organization}} doubled", "{{person}}, {{job}} at {{organization}}, was born in {{year}}", "the {{organization}} office in {{city}}", "{{organization}} hired {{person}} ({{nationality}}) on {{date_time}}", "due {{date_of_birth}}", "{{nation_plural}} and {{nation_plural}}", "shares of {{organization}} fell",
    "What is the weather like today?", "The total is 4,200 units, up 12 percent.", "Set max_tokens to 2048 and temperature to 0.7", "Version 3.11.7 fixed bug 48213", "The order number is 5512-7789-1", "def add(a, b): return a + b", "Please summarise the attached report in 5 bullet points.", "The recipe needs 250 g flour and 2 eggs.", "See chapter 12, page 345.", "Reservation ID is ZFA04Y, two bags",
]
KIND = {
    "person": "PERSON", "name": "PERSON", "name_female": "PERSON", "name_male": "PERSON", "first_name": "PERSON", "first_name_male": "PERSON", "first_name_female": "PERSON", "first_name_nonbinary": "PERSON", "last_name": "PERSON", "last_name_male": "PERSON", "last_name_female": "PERSON",
    "organization": "ORGANIZATION", "address": "STREET_ADDRESS", "street_name": "STREET_ADDRESS", "building_number": "STREET_ADDRESS", "secondary_address": "STREET_ADDRESS", "city": "GPE", "country": "GPE", "state_abbr": "GPE", "credit_card_number": "CREDIT_CARD", "phone_number": "PHONE_NUMBER", "age": "AGE",
    "nationality": "NRP", "nation_woman": "NRP", "nation_plural": "NRP", "year": "DATE_TIME", "date_of_birth": "DATE_TIME", "date_time": "DATE_TIME", "postcode": "ZIP_CODE", "zipcode": "ZIP_CODE", "email": "EMAIL_ADDRESS", "url": "DOMAIN_NAME", "iban": "IBAN_CODE", "ip_address": "IP_ADDRESS", "ssn": "US_SSN", "us_driver_license": "US_DRIVER_LICENSE",
}


UNSURE = set(NATIONS) | {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "today", "yesterday"}


class Identities:
    """Slot values; Faker per locale, or rows of FakeNameGenerator for evaluation."""

    def __init__(self, rng, rows=None):
        self.rng, self.rows = rng, rows
        Faker.seed(rng.randrange(1 << 30))
        self.fakers = [Faker(locale) for locale in LOCALES]

    def value(self, slot):
        """A value of the slot, as text."""
        rng = self.rng
        fake = rng.choice(self.fakers) if rng.random() < 0.6 else self.fakers[rng.randrange(3)]
        row = rng.choice(self.rows) if self.rows else None
        if slot in ("person", "name", "name_female", "name_male"):
            if row:
                return rng.choice(["{GivenName} {Surname}", "{GivenName} {MiddleInitial} {Surname}", "{GivenName} {Surname}"]).format(**row)
            return rng.choice([f"{fake.first_name()} {fake.last_name()}"] * 3 + [f"{fake.first_name()} {rng.choice('ABCDEFGHJKLMNPRSTW')}. {fake.last_name()}", fake.first_name()])
        if slot.startswith("first_name"):
            return row["GivenName"] if row else fake.first_name()
        if slot.startswith("last_name"):
            return row["Surname"] if row else fake.last_name()
        if slot == "organization":
            if row:
                return row["Company"]
            return rng.choice([fake.company(), fake.company(), f"{fake.last_name()} {rng.choice(['Bank', 'University', 'Partners', 'Airlines', 'Foundation', 'Systems', 'Records', 'Hospital', 'Institute', 'Orchestra'])}", "".join(rng.choice("ABCDEFGIKLMNOPRST") for _ in range(rng.randint(3, 4)))])
        if slot == "address":
            if row:
                return f"{row['StreetAddress']}, {row['City']}"
            return fake.street_address() + rng.choice([", ", "\n", " "]) + rng.choice([fake.city(), f"{fake.city()} {fake.postcode()}", f"{fake.city()}, {fake.postcode()}"])
        if slot == "street_name":
            return fake.street_name()
        if slot == "building_number":
            return fake.building_number()
        if slot == "secondary_address":
            return rng.choice(["Apt. ", "Suite ", "Unit "]) + str(rng.randint(1, 999))
        if slot == "city":
            return row["City"] if row else fake.city()
        if slot == "country":
            return self.fakers[rng.randrange(3)].country()
        if slot == "state_abbr":
            return self.fakers[0].state_abbr()
        if slot == "credit_card_number":
            number = fake.credit_card_number()
            return number if rng.random() < 0.6 else " ".join(number[i:i + 4] for i in range(0, len(number), 4))
        if slot == "phone_number":
            return row["TelephoneNumber"] if row else fake.phone_number()
        if slot == "age":
            return str(rng.randint(1, 99))
        if slot in ("nationality", "nation_woman", "nation_plural"):
            return rng.choice(NATIONS) + ("s" if slot == "nation_plural" else "")
        if slot == "year":
            return str(rng.randint(1930, 2026))
        if slot in ("date_of_birth", "date_time"):
            day = fake.date_object()
            return rng.choice([day.strftime("%m/%d/%Y"), day.strftime("%d.%m.%Y"), day.isoformat(), day.strftime("%B %d, %Y"), day.strftime("%d %b %Y"), day.strftime("%A"), "tomorrow at 5pm", day.strftime("%B %Y")])
        if slot in ("postcode", "zipcode"):
            return row["ZipCode"] if row and row["ZipCode"] else fake.postcode()
        if slot == "email":
            return row["EmailAddress"] if row else self.fakers[rng.randrange(3)].email()
        if slot == "url":
            return rng.choice([fake.domain_name(), "https://www." + fake.domain_name() + "/"])
        if slot == "iban":
            return rng.choice(self.fakers[3:9]).iban()
        if slot == "ip_address":
            return fake.ipv4() if rng.random() < 0.8 else fake.ipv6()
        if slot == "ssn":
            return self.fakers[0].ssn()
        if slot == "us_driver_license":
            return rng.choice("ABCDEFGHSW") + str(rng.randint(10**6, 10**8 - 1))
        return {"job": fake.job, "prefix": fake.prefix, "prefix_male": fake.prefix_male, "prefix_female": fake.prefix_female}.get(slot, lambda: rng.choice(["Monday", "Friday"]))()

    def fill(self, template):
        """(text, spans) with adjacent parts of one address merged."""
        text, spans, at = "", [], 0
        template = template.replace("\\n", "\n").replace("\\,", ",")
        for match in re.finditer(r"{{(\w+)}}", template):
            text += template[at:match.start()]
            value = self.value(match.group(1))
            kind = KIND.get(match.group(1))
            if kind:
                spans.append((len(text), len(text) + len(value), kind))
            text += value
            at = match.end()
        text += template[at:]
        return text, merge_addresses(text, spans)


def merge_addresses(text, spans):
    """Joins neighbouring parts of one address (number, street, flat), which the sources mark apart."""
    merged = []
    for span in spans:
        if merged and span[2] == merged[-1][2] == "STREET_ADDRESS" and not text[merged[-1][1]:span[0]].strip(" ,.\n-"):
            merged[-1] = (merged[-1][0], span[1], span[2])
        else:
            merged.append(span)
    return merged


def template_dev(number):
    """Every fifth template by hash is held out; the numbers are those of both the templates and the synthetic set."""
    return int(hashlib.sha256(f"pii:{number}".encode()).hexdigest()[:8], 16) % 5 == 0


def wikigold(data):
    """(text, spans, dev) with PERSON, ORGANIZATION and GPE; what may be a date or a nationality is UNSURE and does not train."""
    kinds = {"PER": "PERSON", "ORG": "ORGANIZATION", "LOC": "GPE"}
    for row in corpus.rows(data, "wikigold"):
        text, spans, last = "", [], None
        for token, tag in zip(row["tokens"], row["tags"]):
            start = len(text) + (1 if text else 0)
            text += (" " if text else "") + token
            kind = kinds.get(tag.split("-")[-1])
            if kind and kind == last:
                spans[-1] = (spans[-1][0], len(text), kind)
            elif kind:
                spans.append((start, len(text), kind))
            elif tag != "O" or re.search(r"\d", token) or token in UNSURE:
                spans.append((start, len(text), "UNSURE"))
            last = kind
        yield text, spans, corpus.is_dev(text)


def samples(data, rng, generated):
    """(text, spans, source, dev) of everything."""
    out = []
    for row in corpus.rows(data, "presidio_synth_v2"):
        spans = sorted(tuple(s) for s in row["spans"] if s[2] in TYPES)
        out.append((row["text"], merge_addresses(row["text"], spans), "presidio_synth_v2", template_dev(row["template"])))
    for text, spans, dev in wikigold(data):
        out.append((text, spans, "wikigold", dev))
    templates = [(i, r["text"]) for i, r in enumerate(corpus.rows(data, "presidio_templates"))]
    extra = [(1000 + i, t) for i, t in enumerate(EXTRA)]
    own = Identities(rng)
    for _ in range(generated):
        number, template = rng.choice(extra if rng.random() < 0.45 else templates)
        text, spans = own.fill(template)
        if rng.random() < 0.08:
            text = text.lower()
        out.append((text, spans, "generated", template_dev(number)))
    held = Identities(rng, corpus.rows(data, "fake_identities_3000"))
    for _ in range(1200):
        number, template = rng.choice(templates)
        if template_dev(number):
            out.append((*held.fill(template), "fake_identities", True))
    return out


def encode(tokenizer, items, limit=256):
    """Ids, label ids (-100 on specials) and offsets per item."""
    out = []
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    for encoding, (text, spans, *_) in zip(tokenizer.encode_batch([i[0] for i in items]), items):
        labels = []
        for (a, b), special in zip(encoding.offsets, encoding.special_tokens_mask):
            if special:
                labels.append(-100)
                continue
            label = 0
            for start, end, kind in spans:
                if a < end and b > start:
                    label = -100 if kind == "UNSURE" else INDEX[("B-" if a <= start else "I-") + kind]
            labels.append(label)
        out.append((encoding.ids, labels, encoding.offsets, [i for i in encoding.word_ids]))
    return out


def decode(labels, offsets, text):
    """Spans from token labels: same type and touching (or one space apart) tokens join."""
    spans = []
    for label, (a, b) in zip(labels, offsets):
        if label <= 0 or a == b:
            continue
        prefix, kind = LABELS[label].split("-", 1)
        if spans and spans[-1][2] == kind and (prefix == "I" or a == spans[-1][1]) and len(text[spans[-1][1]:a].strip(" ,.\n-")) == 0:
            spans[-1] = (spans[-1][0], b, kind)
        else:
            spans.append((a, b, kind))
    return spans


def word_labels(probabilities, words):
    """One label per token: the pieces of a word share the type of the highest summed probability (B and I added)."""
    out, at = [0] * len(words), 0
    while at < len(words):
        end = at + 1
        while end < len(words) and words[end] == words[at] and words[at] is not None:
            end += 1
        if words[at] is not None:
            mean = probabilities[at:end].mean(0)
            kinds = mean[1:].reshape(-1, 2)
            best = int(kinds.sum(1).argmax())
            if kinds[best].sum() > mean[0]:
                begins = kinds[best, 0] > kinds[best, 1] or probabilities[at, 1 + 2 * best] > probabilities[at, 2 + 2 * best]
                out[at:end] = [(1 if begins else 2) + 2 * best] + [2 + 2 * best] * (end - at - 1)
        at = end
    return out


@torch.no_grad()
def predict(model, encoded, texts):
    """Predicted spans of each text."""
    out = [None] * len(encoded)
    for batch in bert.token_batches([e[0] for e in encoded], 4096):
        x, mask = bert.pad([encoded[i][0] for i in batch], 0)
        probabilities = model(input_ids=x, attention_mask=mask).logits.softmax(-1).numpy()
        for row, i in enumerate(batch):
            out[i] = decode(word_labels(probabilities[row], encoded[i][3]), encoded[i][2], texts[i])
    return out


def f1(gold, found, partial):
    """Per type and micro: precision, recall, F1, support; partial counts an overlap of the same type."""
    scores = {}
    for kind in TYPES + ["all"]:
        tp = fn = fp = 0
        for g, f in zip(gold, found):
            g = [s for s in g if kind in ("all", s[2])]
            f = [s for s in f if kind in ("all", s[2])]
            hit = (lambda s, t: s[2] == t[2] and s[0] < t[1] and t[0] < s[1]) if partial else (lambda s, t: s == t)
            matched = sum(any(hit(s, t) for t in f) for s in g)
            tp += matched
            fn += len(g) - matched
            fp += sum(not any(hit(s, t) for s in g) for t in f)
        if tp + fn:
            precision = tp / (tp + fp) if tp + fp else 0.0
            recall = tp / (tp + fn)
            scores[kind] = (precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0, tp + fn)
    return scores


def evaluate(model, tokenizer, items):
    """{source: {"exact"|"partial": scores}} over the held-out part."""
    report = {}
    for source in ("presidio_synth_v2", "generated", "fake_identities", "wikigold"):
        part = [i for i in items if i[2] == source and i[3]][:800]
        encoded = encode(tokenizer, part)
        found = predict(model, encoded, [i[0] for i in part])
        gold = [[tuple(s) for s in i[1] if s[2] in TYPES] for i in part]
        if source == "wikigold":
            found = [[s for s in f if s[2] in ("PERSON", "ORGANIZATION", "GPE")] for f in found]
        report[source] = {name: f1(gold, found, name == "partial") for name in ("exact", "partial")}
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rampart", required=True, help="folder with onnx/model_q4.onnx and tokenizer.json")
    parser.add_argument("--out", required=True)
    parser.add_argument("--layers", type=json.loads, default=[0, 1, 2, 4])
    parser.add_argument("--generated", type=int, default=9000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--evaluate-only", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(3)
    rng = random.Random(21)
    items = samples(args.data, rng, args.generated)
    with open(os.path.join(args.rampart, "tokenizer.json"), encoding="utf-8") as handle:
        tokenizer_text = handle.read()
    tokenizer = Tokenizer.from_str(tokenizer_text)
    config = bert.bert_config(19730, len(args.layers))
    config.pad_token_id = 0
    config.num_labels = len(LABELS)
    config.id2label, config.label2id = dict(enumerate(LABELS)), INDEX
    model = BertForTokenClassification(config)
    if args.evaluate_only:
        from safetensors.torch import load_file
        model.load_state_dict({k: v.float() for k, v in load_file(os.path.join(args.out, "model.safetensors")).items()})
    else:
        state = {}
        for name, value in rampart.read(os.path.join(args.rampart, "onnx", "model_q4.onnx")).items():
            parts = name.split(".")
            if parts[0] == "classifier":
                continue
            if parts[1] == "encoder":
                if int(parts[3]) not in args.layers:
                    continue
                parts[3] = str(args.layers.index(int(parts[3])))
            state[".".join(parts)] = torch.tensor(value)
        print(model.load_state_dict(state, strict=False), flush=True)
        train(args, model, tokenizer, [i for i in items if not i[3]], rng)
        bert.save(model.eval(), tokenizer_text, args.out)
    model.eval()
    report = {"f32": evaluate(model, tokenizer, items)}
    report["int8"] = evaluate(bert.simulate_int8(model), tokenizer, items)
    with open(os.path.join(args.out, "report.json"), "w", encoding="utf-8") as handle:
        json.dump(report, handle, indent=1)
    for precision, part in report.items():
        for source, scores in part.items():
            line = " ".join(f"{kind} {scores['exact'][kind][2]:.3f}/{scores['partial'][kind][2]:.3f}({scores['exact'][kind][3]})" for kind in scores["exact"])
            print(precision, source, line, flush=True)


def train(args, model, tokenizer, items, rng):
    """Cross entropy over token labels; WikiGold has no labels but PERSON, ORGANIZATION, GPE, so its other tokens count as O (UNSURE ones not at all)."""
    encoded = encode(tokenizer, items, 160)
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    model.bert.embeddings.position_embeddings.weight.requires_grad_(False)
    head = list(model.classifier.parameters())
    body = [p for p in model.bert.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([{"params": body, "scale": 1.0}, {"params": head, "scale": 5.0}], lr=args.lr, weight_decay=0.01)
    batches = [b for _ in range(args.epochs) for b in bert.token_batches([e[0] for e in encoded], 1536, rng)]
    start, total = time.time(), []
    model.train()
    for step, batch in enumerate(batches):
        progress = max(step / len(batches), (time.time() - start) / 60 / args.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = args.lr * group["scale"] * min(1, (step + 1) / 40) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        x, mask = bert.pad([encoded[i][0] for i in batch], 0)
        y = torch.full(x.shape, -100)
        for row, i in enumerate(batch):
            y[row, :len(encoded[i][1])] = torch.tensor(encoded[i][1])
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(input_ids=x, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(body + head, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total.append(loss.item())
        if step % 100 == 99:
            print(f"step {step + 1}/{len(batches)} loss {np.mean(total):.4f} {time.time() - start:.0f} s", flush=True)
            total = []


if __name__ == "__main__":
    main()
