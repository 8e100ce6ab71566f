// Debian's Chromium, driven without a download: contexts of this page, and what every scenario wants to know of one.

import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

// Installed by scripts/test from the lock file beside this file.
const installed = createRequire(new URL('../../target/page/', import.meta.url));
const { chromium } = installed('playwright-core');
export const AXE = installed.resolve('axe-core/axe.min.js');

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Longest wait for anything that the page or the browser does; tests share two cores. */
export const WAIT_MS = 120_000;
export const WIDTHS = [360, 768, 1280, 1920, 3840];
export const SCHEMES = ['light', 'dark'];
/** From here on no part scrolls sideways. */
export const WIDE_PX = 1280;

export async function withBrowser(act) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    timeout: WAIT_MS,
    // The same letters on every machine, and no use of a GPU or of /dev/shm, which is small in containers.
    args: ['--font-render-hinting=none', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  try {
    return await act(browser);
  } finally {
    await browser.close();
  }
}

/** A page in a context of its own. Script is off, as in the browser of somebody who has it off. */
export async function withPage(browser, options, act) {
  const { width = WIDE_PX, height = 900, ...others } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    javaScriptEnabled: false,
    reducedMotion: 'reduce',
    ...others,
  });
  context.setDefaultTimeout(WAIT_MS);
  try {
    return await act(await context.newPage());
  } finally {
    await context.close();
  }
}

export async function open(page, url) {
  const answer = await page.goto(url, { waitUntil: 'load' });
  if (answer.status() !== 200) {
    throw new Error(`${url}: ${answer.status()} ${(await answer.text()).slice(0, 300)}`);
  }
  return answer;
}

/** A picture of the whole page, for people: nothing is compared with it. */
export async function picture(page, folder, name, options = {}) {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true, ...options });
}

/** Opens or shuts everything that can be opened. */
export async function setDetails(page, open) {
  await page.evaluate((open) => {
    for (const details of document.querySelectorAll('details')) details.open = open;
  }, open);
}
