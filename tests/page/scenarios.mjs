// What the page must bear, one function a promise. Each gets a verdict to fill: faults, and how much was looked at.

import { createHash } from 'node:crypto';
import { AXE, SCHEMES, WAIT_MS, WIDE_PX, WIDTHS, open, picture, setDetails, withBrowser, withPage } from './browser.mjs';
import { groundOf, layoutFaults } from './look.mjs';

/** The smallest letters on paper: 6 points. */
const PRINTED_LETTER_PX_MIN = 8;
/** A sheet of A4 less the browser's margins, in CSS pixels. */
const PAPER_PX = 718;

export async function widths({ url, pictures, name }, verdict) {
  await withBrowser(async (browser) => {
    for (const width of WIDTHS) {
      await withPage(browser, { width }, async (page) => {
        await open(page, url);
        for (const colorScheme of SCHEMES) {
          await page.emulateMedia({ colorScheme });
          const ground = await groundOf(page);
          if (ground > 0.2 === (colorScheme === 'dark')) verdict.fault(`${width} ${colorScheme}: the ground is ${ground}`);
          // The whole page, but where that is millions of points.
          await picture(page, pictures, `${name}-${width}-${colorScheme}`, { fullPage: width < 3840 });
        }
        for (const isOpen of [false, true]) {
          await setDetails(page, isOpen);
          const { faults, lines } = await layoutFaults(page, { mayScroll: width < WIDE_PX });
          verdict.faults(`${width}${isOpen ? ' opened' : ''}`, faults);
          verdict.looked(lines);
        }
        if (width <= WIDE_PX) await picture(page, pictures, `${name}-${width}-opened`);
      });
    }
  });
}

export async function print({ url, pictures, name }, verdict) {
  await withBrowser(async (browser) => {
    await withPage(browser, { width: PAPER_PX, colorScheme: 'dark' }, async (page) => {
      await open(page, url);
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      const ground = await groundOf(page);
      if (ground < 0.9) verdict.fault(`printed from a dark screen, the ground is ${ground}`);
      const { faults, lines } = await layoutFaults(page, { mayScroll: false, letterMin: PRINTED_LETTER_PX_MIN });
      verdict.faults('print', faults);
      verdict.looked(lines);
      await picture(page, pictures, `${name}-print`);
      const pdf = await page.pdf({ format: 'A4', path: `${pictures}/${name}.pdf`, margin: { top: '1cm', right: '1cm', bottom: '1cm', left: '1cm' } });
      if (pdf.length < 10_000) verdict.fault(`a PDF of ${pdf.length} bytes`);
    });
  });
}

export async function axe({ url, pictures, name }, verdict) {
  await withBrowser(async (browser) => {
    for (const width of [360, 1280]) {
      // The policy forbids scripts, and so it does axe's: here alone it is not asked.
      await withPage(browser, { width, javaScriptEnabled: true, bypassCSP: true }, async (page) => {
        await open(page, url);
        await page.addScriptTag({ path: AXE });
        for (const colorScheme of SCHEMES) {
          await page.emulateMedia({ colorScheme });
          // Where none is stated, axe takes a dark one for white (findings/axe-takes-a-dark-page-for-white.sh).
          const isStated = await page.evaluate(() => getComputedStyle(document.body).backgroundColor !== 'rgba(0, 0, 0, 0)');
          if (!isStated) verdict.fault(`${width} ${colorScheme}: the page does not state its ground`);
          // What is shut is not looked at.
          await setDetails(page, true);
          const found = await page.evaluate(() => globalThis.axe.run(document, { rules: { 'target-size': { enabled: true } } }));
          verdict.looked(found.passes.length);
          const where = `${width} ${colorScheme}`;
          for (const { id, help, nodes } of found.violations) {
            verdict.fault(`${where}: ${id}: ${help}: ${nodes.length}, such as ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
          }
          for (const { id, nodes } of found.incomplete) {
            verdict.note(`${where}: ${id} is for people to judge: ${nodes.length}, such as ${nodes[0].html.slice(0, 160)} ${nodes[0].any[0]?.message ?? ''}`);
          }
        }
      });
    }
  });
}

export async function keyboard({ url, pictures, name }, verdict) {
  await withBrowser(async (browser) => {
    for (const width of [360, WIDE_PX]) {
      await withPage(browser, { width }, async (page) => {
        await open(page, url);
        await setDetails(page, false);
        const expected = await page.evaluate(() => {
          const stops = [...document.querySelectorAll('a[href], summary, button, [tabindex]')].filter((stop) => stop.checkVisibility() && stop.tabIndex >= 0);
          stops.forEach((stop, at) => { stop.dataset.stop = at; });
          return stops.length;
        });
        const reached = [];
        for (let tab = 0; tab < expected + 5; tab += 1) {
          await page.keyboard.press('Tab');
          const stop = await page.evaluate(focused);
          if (!stop) break;
          reached.push(stop.at);
          for (const fault of stop.faults) verdict.fault(`${width}: ${fault}: ${stop.what}`);
          if (tab === 4) await picture(page, pictures, `${name}-focus-${width}`, { fullPage: false });
        }
        verdict.looked(reached.length);
        const inOrder = reached.every((at, index) => at === index);
        if (reached.length !== expected || !inOrder) verdict.fault(`${width}: Tab goes ${reached.join(' ')}, and there are ${expected} stops`);
        const summaries = await page.locator('summary').count();
        for (let at = 0; at < summaries; at += 1) {
          const summary = page.locator('summary').nth(at);
          await summary.focus();
          await page.keyboard.press('Enter');
          const isOpen = await summary.evaluate((summary) => summary.parentElement.open);
          if (!isOpen) verdict.fault(`Enter does not open ${await summary.innerText()}`);
          verdict.looked(1);
        }
        // A link is followed with Enter, and nothing else is needed.
        const links = page.locator('main a[href^="?"], main a[href^="/?"], header a[href^="?"], nav a[href^="?"], nav a[href^="/?"]');
        if (await links.count() > 0) {
          const target = new URL(await links.first().getAttribute('href'), url).href;
          await links.first().focus();
          await Promise.all([page.waitForURL(target), page.keyboard.press('Enter')]);
        }
      });
    }
  });
}

/** Runs in the page: what has the focus, and what is wrong with how that is shown. */
function focused() {
  const stop = document.activeElement;
  if (!stop || stop === document.body || stop === document.documentElement) return null;
  const faults = [];
  const style = getComputedStyle(stop);
  if (!stop.matches(':focus-visible')) faults.push('the focus does not show');
  if (style.outlineStyle === 'none' || Number.parseFloat(style.outlineWidth) < 1) faults.push(`has no outline (${style.outline})`);
  const rect = stop.getBoundingClientRect();
  if (rect.width < 1 || rect.height < 1) faults.push('is nowhere');
  if (rect.bottom <= 0 || rect.top >= innerHeight || rect.right <= 0 || rect.left >= innerWidth) faults.push('is out of sight');
  return { at: Number(stop.dataset.stop ?? -1), what: stop.outerHTML.slice(0, 120), faults };
}

/** Nothing but the page itself is asked for, the policy is strict and holds, and no name became markup. */
export async function alone({ url }, verdict) {
  await withBrowser(async (browser) => {
    for (const javaScriptEnabled of [true, false]) {
      await withPage(browser, { javaScriptEnabled }, async (page) => {
        const asked = [];
        page.on('request', (request) => asked.push(request.url()));
        page.on('console', (message) => verdict.fault(`the console says ${message.text()}`));
        page.on('pageerror', (error) => verdict.fault(`an error: ${error}`));
        page.on('dialog', (dialog) => { verdict.fault(`a dialog: ${dialog.message()}`); return dialog.dismiss(); });
        const answer = await open(page, url);
        const headers = answer.headers();
        const policy = Object.fromEntries((headers['content-security-policy'] ?? '').split(';').map((part) => part.trim().split(/\s+(.*)/)).map(([what, how]) => [what, how]));
        const style = await page.evaluate(() => [...document.querySelectorAll('style')].map((style) => style.textContent));
        const hash = `'sha256-${createHash('sha256').update(style[0] ?? '').digest('base64')}'`;
        const expected = { 'default-src': "'none'", 'style-src': hash, 'base-uri': "'none'", 'form-action': "'none'", 'frame-ancestors': "'none'" };
        for (const [what, how] of Object.entries(expected)) {
          if (policy[what] !== how) verdict.fault(`${what} is ${policy[what]} and not ${how}`);
        }
        if (style.length !== 1) verdict.fault(`${style.length} style elements`);
        if (headers['x-content-type-options'] !== 'nosniff') verdict.fault(`X-Content-Type-Options: ${headers['x-content-type-options']}`);
        if (!/(^|[,\s])accept($|[,\s])/i.test(headers.vary ?? '')) verdict.fault(`Vary: ${headers.vary}`);
        const odd = await page.evaluate(() => {
          const odd = [...document.querySelectorAll('script, img, iframe, object, embed, form, link, base, meta[http-equiv], input, video, audio, use, image, foreignObject, [style], [srcset], [src]')];
          for (const element of document.querySelectorAll('*')) {
            for (const { name, value } of element.attributes) {
              if (/^on/i.test(name) || /^\s*(javascript|data):/i.test(value)) odd.push(element);
            }
          }
          return odd.map((element) => element.outerHTML.slice(0, 120));
        });
        for (const element of odd) verdict.fault(`in the page: ${element}`);
        const away = await page.evaluate(() => [...document.querySelectorAll('a[href]')].map((link) => link.href));
        for (const link of away) {
          if (new URL(link).origin !== new URL(url).origin && !/^https:\/\/github\.com\//.test(link)) verdict.fault(`a link away: ${link}`);
        }
        verdict.looked(away.length);
        if (asked.length !== 1) verdict.fault(`asked for ${asked.join(', ')}`);
        verdict.looked(asked.length);
      });
    }
  });
}

/** `?refresh=2` loads the page again by itself, and a page without it stays. */
export async function refresh({ url }, verdict) {
  await withBrowser(async (browser) => {
    const target = new URL(url);
    target.searchParams.set('refresh', '2');
    await withPage(browser, {}, async (page) => {
      await open(page, target.href);
      for (let time = 0; time < 2; time += 1) {
        await page.waitForEvent('framenavigated', { timeout: WAIT_MS });
        if (page.url() !== target.href) verdict.fault(`it went to ${page.url()}`);
        await page.waitForLoadState('load');
        verdict.looked(1);
      }
      if (await page.locator('h1').count() !== 1) verdict.fault('no page after it was loaded again');
    });
  });
}

/** Headings, landmarks, tables and charts as a screen reader goes through them. */
export async function structure({ url }, verdict) {
  await withBrowser(async (browser) => {
    await withPage(browser, {}, async (page) => {
      await open(page, url);
      const { faults, count } = await page.evaluate(() => {
        const faults = [];
        let count = 0;
        const say = (element) => element.outerHTML.replace(/\s+/g, ' ').slice(0, 100);
        if (!document.documentElement.lang) faults.push('no language');
        if (!document.title.trim()) faults.push('no title');
        for (const [what, number] of [['main', 1], ['h1', 1], ['header', 1]]) {
          const found = document.querySelectorAll(what === 'header' ? 'body > header' : what).length;
          if (found !== number) faults.push(`${found} ${what}`);
        }
        let last = 0;
        for (const heading of document.querySelectorAll('h1,h2,h3,h4,h5,h6')) {
          const level = Number(heading.tagName[1]);
          if (level > last + 1) faults.push(`h${level} after h${last}: ${heading.textContent}`);
          if (!heading.textContent.trim()) faults.push(`an empty heading: ${say(heading)}`);
          last = level;
          count += 1;
        }
        const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
        for (const id of ids) if (ids.filter((other) => other === id).length > 1) faults.push(`twice: #${id}`);
        for (const table of document.querySelectorAll('table')) {
          const label = table.caption?.textContent.trim() || table.getAttribute('aria-label') || table.getAttribute('aria-labelledby');
          if (!label) faults.push(`no caption: ${say(table)}`);
          if (table.querySelectorAll('thead th[scope=col]').length === 0) faults.push(`no heads: ${say(table)}`);
          const widths = new Set([...table.rows].map((row) => [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0)));
          if (widths.size !== 1) faults.push(`rows of ${[...widths]} cells: ${say(table)}`);
          count += 1;
        }
        for (const svg of document.querySelectorAll('svg')) {
          count += 1;
          if (svg.getAttribute('aria-hidden') === 'true') continue;
          const ids = (svg.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean);
          const said = ids.length > 0 ? ids.map((id) => document.getElementById(id)) : [svg.querySelector(':scope > title')];
          if (svg.getAttribute('role') !== 'img' || said.some((element) => !element?.textContent.trim())) faults.push(`says nothing: ${say(svg)}`);
          const figure = svg.closest('figure');
          if (!figure) continue;
          if (!svg.querySelector(':scope > desc')?.textContent.trim()) faults.push(`has no description: ${say(svg)}`);
          if (!figure.querySelector('details table')) faults.push(`has no table: ${say(svg)}`);
        }
        for (const link of document.querySelectorAll('a')) {
          if (!(link.textContent.trim() || link.getAttribute('aria-label'))) faults.push(`an empty link: ${say(link)}`);
          const to = link.getAttribute('href') ?? '';
          if (to.startsWith('#') && !document.getElementById(to.slice(1))) faults.push(`leads nowhere: ${say(link)}`);
          count += 1;
        }
        return { faults, count };
      });
      verdict.faults('structure', faults);
      verdict.looked(count);
    });
  });
}

/** A picture of the page's top for the README: so wide that its letters can be read at a README's width, at twice the size. */
export async function show({ url, path, colorScheme }, verdict) {
  await withBrowser(async (browser) => {
    await withPage(browser, { width: 1100, height: 890, deviceScaleFactor: 2, colorScheme }, async (page) => {
      await open(page, url);
      await page.screenshot({ path });
      verdict.looked(1);
    });
  });
}

/** What pages say, section by section: their links, the rows of their tables, and every number with all its digits. */
export async function read({ urls }, verdict) {
  await withBrowser(async (browser) => {
    await withPage(browser, {}, async (page) => {
      verdict.shown = { pages: [] };
      for (const url of urls) {
        await open(page, url);
        const sections = await page.evaluate(sectionsOf);
        verdict.looked(Object.keys(sections).length);
        verdict.shown.pages.push(sections);
      }
    });
  });
}

/** Runs in the page. */
function sectionsOf() {
  const tidy = (element) => element.textContent.trim().replace(/\s+/g, ' ');
  const valuesIn = (element) => [...element.querySelectorAll('data')].map((data) => ({ value: data.value, shown: tidy(data) }));
  // A name that is cut has all of it in its title.
  const nameIn = (cell) => {
    const name = cell.querySelector('.name');
    return name ? name.title || name.textContent : tidy(cell);
  };
  const rowsOf = (table) => [...table.querySelectorAll('tbody tr, tfoot tr')].map((row) => (
    [...row.cells].map((cell) => ({ text: tidy(cell), name: nameIn(cell), values: valuesIn(cell) }))
  ));
  const sections = {};
  for (const section of document.querySelectorAll('section[id]')) {
    sections[section.id] = {
      text: tidy(section),
      links: [...section.querySelectorAll('a')].map((link) => link.getAttribute('href')),
      values: valuesIn(section),
      tables: [...section.querySelectorAll('table')].map((table) => ({ caption: table.caption ? tidy(table.caption) : '', rows: rowsOf(table) })),
    };
  }
  return sections;
}
