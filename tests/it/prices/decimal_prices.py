"""What 200 models cost for five shapes of usage, worked out from the catalogue's text by Python's decimal.

    decimal_prices.py CATALOGUE.jsonl TIME

Shares no code with the program: it reads the catalogue, finds models by its patterns, takes usage apart and rounds in its own way.
Prints one JSON object a line: service, model, usage, usd (null where nothing has a price), and float, what sums of doubles give.
"""

import json
import re
import sys
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

MODELS = 200
INPUT_PARTS = {
    "cached_input_tokens": ["input_tokens"],
    "cache_write_input_tokens": ["input_tokens"],
    "cache_write_1h_input_tokens": ["cache_write_input_tokens", "input_tokens"],
    "audio_input_tokens": ["input_tokens"],
}
OUTPUT_PARTS = {"reasoning_output_tokens": ["output_tokens"]}

SHAPES = [
    {"input_tokens": 1234567, "output_tokens": 7},
    {"input_tokens": 1000, "cached_input_tokens": 801, "output_tokens": 53, "reasoning_output_tokens": 20},
    {
        "input_tokens": 100003,
        "cached_input_tokens": 60001,
        "cache_write_input_tokens": 20002,
        "cache_write_1h_input_tokens": 10001,
        "output_tokens": 4097,
    },
    {"input_tokens": 272001, "cached_input_tokens": 200001, "audio_input_tokens": 1001, "output_tokens": 99999},
    {
        "input_tokens": 1,
        "output_tokens": 1,
        "seconds": 12.5,
        "characters": 1717,
        "pages": 3,
        "searches": 2,
        "images": 1,
        "requests": 3,
    },
]


def matches(rule, name):
    def one(pattern):
        wanted = not pattern.startswith("!")
        parts = re.split(r"([*#])", pattern.lstrip("!"))
        expression = "".join({"*": ".*", "#": r"\d"}.get(part, re.escape(part)) for part in parts)
        return bool(re.fullmatch(expression, name, re.DOTALL)) == wanted

    return any(all(map(one, [pattern] if isinstance(pattern, str) else pattern)) for pattern in rule)


def holds(price, at):
    if "from" in price and at.date().isoformat() < price["from"]:
        return False
    if "hours" in price:
        start, end = price["hours"].split("-")
        now = at.strftime("%H:%M")
        return start <= now < end if start < end else now >= start or now < end
    return True


def usd_of(model, at):
    for price in reversed(model["prices"]):
        if holds(price, at):
            return price["usd"]
    return model["prices"][0]["usd"]


def step(price, prompt):
    if isinstance(price, str):
        return Decimal(price)
    found = Decimal(price[0])
    for above, usd in price[1:]:
        if prompt > above:
            found = Decimal(usd)
    return found


def cost(model, usage, usd, per):
    prompt = Decimal(max(usage.get("input_tokens", 0), sum(usage.get(part, 0) for part in INPUT_PARTS)))
    total, is_priced, doubles = Decimal(0), False, 0.0

    def charge(name, count, chain):
        nonlocal total, is_priced, doubles
        for unit in chain:
            if unit in usd:
                price = step(usd[unit], prompt if "tokens" in unit else Decimal(0))
                # As a fraction over a common denominator: per is 3,600 for sound, which no decimal divides.
                total += price * count * (DENOMINATOR // per[unit])
                doubles += float(price) / per[unit] * float(count)
                is_priced = True
                return

    for whole, parts in [("input_tokens", INPUT_PARTS), ("output_tokens", OUTPUT_PARTS)]:
        rest = Decimal(usage.get(whole, 0))
        for part, fallback in parts.items():
            count = Decimal(usage.get(part, 0))
            if count == 0:
                continue
            rest -= count
            if part == "cache_write_1h_input_tokens" and part not in usd and "claude" in model["model"] and "input_tokens" in usd:
                charge(part, 2 * count, ["input_tokens"])
            else:
                charge(part, count, [part, *fallback])
        if rest > 0:
            charge(whole, rest, [whole])
    for name, count in usage.items():
        if name not in INPUT_PARTS | OUTPUT_PARTS and name not in ("input_tokens", "output_tokens", "requests") and count:
            count = Decimal(str(count))
            least = Decimal(model.get("least", {}).get(name, 0))
            charge(name, max(count, least), [name])
    if "requests" in usd and is_priced:
        charge("requests", Decimal(usage.get("requests", 1)), ["requests"])
    if not is_priced:
        return None, None
    # The one rounding: half to even at the twelfth decimal, of a quotient that is exact or told apart from a tie.
    quotient, remainder = divmod(total * 10**12, DENOMINATOR)
    twice = remainder * 2
    if twice > DENOMINATOR or (twice == DENOMINATOR and quotient % 2 == 1):
        quotient += 1
    return format(quotient.scaleb(-12).normalize(), "f"), doubles


# Every `per` of the catalogue divides it.
DENOMINATOR = 9_000_000_000


def main(path, at):
    at = datetime.fromisoformat(at.replace("Z", "+00:00"))
    with open(path, encoding="utf-8") as file:
        head, *lines = [json.loads(line) for line in file]
    per = head["per"]
    assert all(DENOMINATOR % count == 0 for count in per.values())
    providers = []
    for line in lines:
        if "provider" in line:
            providers.append((line["provider"], []))
        else:
            providers[-1][1].append(line)
    # A name of each model that finds it, and not one that stands before it.
    named = []
    for provider, models in providers:
        for model in models:
            names = [model["model"].lower()] + [name for name in model["match"] if isinstance(name, str) and not re.search("[*#!]", name)]
            for name in names:
                if next((other for other in models if matches(other["match"], name)), None) is model:
                    named.append((provider, name, model))
                    break
    wanted = [one for one in named if one[0] in ("openai", "anthropic", "google", "mistral", "deepseek", "groq", "x-ai")]
    others = [one for one in named if one not in wanted]
    chosen = wanted[:: max(1, len(wanted) // (MODELS - 60))][: MODELS - 60]
    chosen += others[:: len(others) // 60][:60]
    for provider, name, model in chosen[:MODELS]:
        for usage in SHAPES:
            usd, doubles = cost(model, usage, usd_of(model, at), per)
            line = {"service": provider, "model": name, "usage": usage, "usd": usd, "float": repr(doubles)}
            print(json.dumps(line))


if __name__ == "__main__":
    with localcontext(Context(prec=80, rounding=ROUND_HALF_EVEN)):
        main(*sys.argv[1:])
