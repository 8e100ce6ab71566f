#!/usr/bin/env bash
# Package:  axe-core 4.14.1, driven by playwright-core 1.65.1 in Debian's chromium (CHROMIUM names another)
# Expected: color-contrast measures letters against what is behind them. A page with `color-scheme: dark` and no background of its own
#           stands on the browser's dark ground.
# Seen:     where no element states a background, axe takes it for white. Light letters that are easy to read are a violation, and dark
#           ones that nobody can read pass.
# Output:   the browser's ground, and what axe says of light and of dark letters on it
# Here:     the page states its ground in each color scheme, and the test insists on that before it believes axe;
#           tests/it/page/mod.rs::axe_finds_nothing
set -euo pipefail
expected='the ground is rgb(18, 18, 18)
#9e9eff: violation, on #ffffff
#444444: passes'
chromium=${CHROMIUM:-/usr/bin/chromium}
[ -x "$chromium" ] || { echo 'This needs chromium: apt-get install chromium' >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --save-exact axe-core@4.14.1 playwright-core@1.65.1
cat >page.html <<'END'
<!DOCTYPE html>
<html lang="en"><head><title>Dark</title><style>:root { color-scheme: dark }</style></head>
<body><main><h1>Dark</h1><p style="color:#9e9eff">#9e9eff</p><p style="color:#444444">#444444</p></main></body></html>
END
cat >look.cjs <<'END'
const { chromium } = require("playwright-core");
(async () => {
  const browser = await chromium.launch({ executablePath: process.argv[2] });
  const page = await browser.newPage({ colorScheme: "dark" });
  await page.goto(`file://${process.cwd()}/page.html`);
  const ground = await page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.backgroundColor = "Canvas";
    const color = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return color;
  });
  console.log(`the ground is ${ground}`);
  await page.addScriptTag({ path: require.resolve("axe-core") });
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["color-contrast"] }));
  const nodes = (results) => results.flatMap(({ nodes }) => nodes);
  for (const letters of ["#9e9eff", "#444444"]) {
    const is = (node) => node.html.includes(`>${letters}<`);
    const bad = nodes(found.violations).find(is);
    const passes = nodes(found.passes).some(is);
    console.log(`${letters}: ${bad ? `violation, on ${bad.any[0].data.bgColor}` : passes ? "passes" : "undecided"}`);
  }
  await browser.close();
})();
END
seen=$(node look.cjs "$chromium" 2>/dev/null)
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { printf 'It has changed. It was:\n%s\n' "$expected" >&2; exit 1; }
