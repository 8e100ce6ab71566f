// What is wrong with how a page lies there, told by the browser's own measures.

/** Smallest letters that can be read, in CSS pixels, after an SVG was scaled. */
const LETTER_PX_MIN = 10;
/** Browsers round; less than this is nothing. */
const SLACK_PX = 1.5;

/** Everything that is cut, spills, scrolls sideways where it must not, lies on something else, or is too small to read. */
export async function layoutFaults(page, { mayScroll, letterMin = LETTER_PX_MIN }) {
  return page.evaluate(look, { mayScroll, letterMin, slack: SLACK_PX });
}

/** Runs in the page. */
function look({ mayScroll, letterMin, slack }) {
  const faults = [];
  const root = document.documentElement;
  const nameOf = (element) => {
    const section = element.closest('section[id]');
    const text = (element.textContent ?? '').trim().replace(/\s+/g, ' ').slice(0, 50);
    const classes = (element.getAttribute('class') ?? '').trim().split(/\s+/).filter(Boolean).map((word) => `.${word}`).join('');
    return `${section && section !== element ? `#${section.id} ` : ''}${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''}${classes} "${text}"`;
  };
  if (root.scrollWidth > root.clientWidth) {
    faults.push(`the page scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`);
  }
  const isSeen = (element) => {
    if (!element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) return false;
    // For screen readers only.
    for (let at = element; at && at !== root; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.position === 'absolute' && (at.offsetWidth <= 1 || at.offsetHeight <= 1)) return false;
      if (style.clipPath !== 'none' && at.offsetWidth <= 1) return false;
    }
    return true;
  };
  const scrolls = (overflow) => overflow === 'auto' || overflow === 'scroll';
  const cuts = (overflow) => overflow === 'hidden' || overflow === 'clip';

  for (const element of document.querySelectorAll('body, body *')) {
    if (element instanceof SVGElement || !isSeen(element)) continue;
    const style = getComputedStyle(element);
    if (element.clientWidth > 0 && element.scrollWidth > element.clientWidth + slack) {
      const by = `${element.scrollWidth} > ${element.clientWidth}`;
      if (scrolls(style.overflowX)) {
        if (!mayScroll) faults.push(`scrolls sideways (${by}): ${nameOf(element)}`);
      } else if (cuts(style.overflowX)) {
        const told = style.textOverflow === 'ellipsis' && (element.title || element.closest('[title]') || element.querySelector('[title]'));
        if (!told) faults.push(`is cut at its side (${by}): ${nameOf(element)}`);
      } else {
        faults.push(`spills over (${by}): ${nameOf(element)}`);
      }
    }
    if (element.clientHeight > 0 && element.scrollHeight > element.clientHeight + slack && cuts(style.overflowY)) {
      faults.push(`is cut below (${element.scrollHeight} > ${element.clientHeight}): ${nameOf(element)}`);
    }
  }

  // The box outside of which nothing of an element is drawn, where it is cut.
  const clipOf = (element) => {
    for (let at = element; at && at !== root && !(at instanceof SVGElement); at = at.parentElement) {
      if (cuts(getComputedStyle(at).overflowX)) return at.getBoundingClientRect();
    }
    return null;
  };
  const inside = (rect, clip) => {
    const [left, right] = [Math.max(rect.left, clip.left), Math.min(rect.right, clip.right)];
    return new DOMRect(left, rect.top, Math.max(0, right - left), rect.height);
  };
  // Every line of text, as it is drawn.
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const scrollers = new Map();
  const scrollerOf = (element) => {
    if (!element || element === root) return null;
    if (!scrollers.has(element)) {
      scrollers.set(element, scrolls(getComputedStyle(element).overflowX) ? element : scrollerOf(element.parentElement));
    }
    return scrollers.get(element);
  };
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || !isSeen(parent) || parent.closest('title, desc, style')) continue;
    range.selectNodeContents(node);
    const svg = parent.closest('svg');
    const style = getComputedStyle(parent);
    const scale = svg && parent.getScreenCTM ? Math.hypot(parent.getScreenCTM().a, parent.getScreenCTM().b) : 1;
    const letters = Number.parseFloat(style.fontSize) * scale;
    if (letters < letterMin - 0.01) faults.push(`has letters of ${letters.toFixed(1)} px: ${nameOf(parent)}`);
    const clip = clipOf(parent);
    for (const whole of range.getClientRects()) {
      const rect = clip ? inside(whole, clip) : whole;
      if (rect.width < 0.5 || rect.height < 0.5) continue;
      lines.push({ rect, parent });
      if (svg) {
        // Labels stand beside the drawing, where its figure has room for them.
        const frame = (getComputedStyle(svg).overflow === 'visible' ? svg.closest('section, td, li') ?? svg : svg).getBoundingClientRect();
        if (rect.left < frame.left - slack || rect.right > frame.right + slack || rect.top < frame.top - slack - 2 || rect.bottom > frame.bottom + slack + 2) {
          faults.push(`sticks out of its picture: ${nameOf(parent)}`);
        }
      }
      if ((rect.left < -slack || rect.right > root.clientWidth + slack) && !scrollerOf(parent)) {
        faults.push(`sticks out of the page: ${nameOf(parent)}`);
      }
    }
  }
  // Boxes of lines are higher than letters: what counts as lying on each other is a third of a line.
  lines.sort((one, other) => one.rect.top - other.rect.top);
  for (let at = 0; at < lines.length; at += 1) {
    const one = lines[at];
    for (let next = at + 1; next < lines.length && lines[next].rect.top < one.rect.bottom; next += 1) {
      const other = lines[next];
      if (one.parent === other.parent) continue;
      const wide = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const high = Math.min(one.rect.bottom, other.rect.bottom) - other.rect.top;
      if (wide > 2 && high > Math.min(one.rect.height, other.rect.height) / 3) {
        // What has scrolled out of its part is not seen.
        if (scrollerOf(one.parent) !== scrollerOf(other.parent)) continue;
        faults.push(`lies on each other: ${nameOf(one.parent)} and ${nameOf(other.parent)}`);
      }
    }
  }
  return { faults: [...new Set(faults)].slice(0, 12), lines: lines.length };
}

/** How light the page's ground is, 0 to 1. */
export async function groundOf(page) {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d');
    const of = (element) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = getComputedStyle(element).backgroundColor;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    for (const element of [document.body, document.documentElement]) {
      const [red, green, blue, alpha] = of(element);
      if (alpha > 0) return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
    }
    // The browser's own ground follows the color scheme.
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.backgroundColor = 'Canvas';
    const [red, green, blue] = of(probe);
    probe.remove();
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  });
}
