// Shows amounts as Grafana shows those of the dashboard, by Grafana's own formatter: nothing of them may be missing.

const fs = require("node:fs");
// The package is made for browsers and looks at these while it is loaded.
globalThis.window = globalThis;
Object.defineProperty(globalThis, "navigator", { value: { language: "en-US", languages: ["en-US"] } });
globalThis.document = { createElement: () => ({ getContext: () => null }), documentElement: { style: {} }, addEventListener() {} };
const { formattedValueToString, getValueFormat } = require("@grafana/data");

const AMOUNTS = [
  [1995.01, "1,995.01"], [12345678.9, "12,345,678.9"], [1000000, "1,000,000"], [0.004, "0.004"], [0.000035, "0.000035"], [0.25, "0.25"],
  [-3.5, "-3.5"], [0, "0"], [0.1 + 0.2, "0.3"],
];
const money = JSON.parse(fs.readFileSync(process.argv[2])).panels.filter((panel) => panel.title.includes("USD"));
let wrong = money.length === 0;
for (const { title, fieldConfig } of money) {
  const { unit, decimals } = fieldConfig.defaults;
  for (const [amount, expected] of AMOUNTS) {
    const shown = formattedValueToString(getValueFormat(unit)(amount, decimals));
    if (shown !== expected) {
      console.log(`${title}: ${amount} is shown as ${shown}`);
      wrong = true;
    }
  }
}
console.log(`${money.length} panels show money`);
process.exit(wrong ? 1 : 0);
