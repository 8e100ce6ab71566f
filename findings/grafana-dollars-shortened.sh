#!/usr/bin/env bash
# Package:  @grafana/data 11.6.0
# Expected: unit currencyUSD with two decimals shows amounts to the cent: $12,345.67 and $1,000,000.00.
# Seen:     from 1,000 on it counts in K, and the decimals are those of thousands: 4.33 USD are gone; just below a
#           million it says $1000.00K.
# Output:   12345.67 -> $12.35K, 999999 -> $1000.00K
# Here:     money has the unit "locale" with six decimals, and titles say USD (grafana/check_money.cjs);
#           tests/it/dashboard.rs::panels_are_whole_and_have_a_place_of_their_own
set -euo pipefail
expected='12345.67 -> $12.35K
999999 -> $1000.00K'
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --save-exact @grafana/data@11.6.0
cat > show.cjs <<'END'
// The package is made for browsers and looks at these while it is loaded.
globalThis.window = globalThis;
Object.defineProperty(globalThis, "navigator", { value: { language: "en-US", languages: ["en-US"] } });
globalThis.document = { createElement: () => ({ getContext: () => null }), documentElement: { style: {} }, addEventListener() {} };
const { formattedValueToString, getValueFormat } = require("@grafana/data");
for (const amount of [12345.67, 999999]) {
  console.log(`${amount} -> ${formattedValueToString(getValueFormat("currencyUSD")(amount, 2))}`);
}
END
seen=$(node show.cjs)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
