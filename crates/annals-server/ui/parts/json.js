// @ts-check
// JSON with colours. It works on the text as the server sent it and not on what JSON.parse makes of it: numbers beyond
// 2^53, their decimals and repeated members stay what they are. Lines come in portions, long strings are folded.
import { h } from '../core/h.js';
import { bytes, clip, visible } from '../core/text.js';

/** Lines of one portion: a screenful or three, drawn in some milliseconds. */
const PORTION = 300;
/** A string longer than this is folded: it would push everything else away. */
const STRING_MAX = 600;
/** One line of the page never has more than this, also unfolded: browsers lay out lines of a megabyte slowly. */
const CHUNK = 4000;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/gs;

/** @typedef {{indent: number, parts: {kind: string, text: string}[]}} Line */

/**
 * The text, laid out in lines.
 * @param {string} text valid JSON
 * @returns {Generator<Line>}
 */
export function* jsonLines(text) {
  /** @type {Line} */
  let line = { indent: 0, parts: [] };
  let depth = 0;
  let last = '';
  const scanner = new RegExp(TOKEN);
  for (let found = scanner.exec(text); found; found = scanner.exec(text)) {
    const token = found[0];
    const closes = token === '}' || token === ']';
    if (closes) depth -= 1;
    const breaks = closes ? last !== '{' && last !== '[' : last === '{' || last === '[' || last === ',';
    if (breaks) {
      yield line;
      line = { indent: depth, parts: [] };
    }
    line.parts.push({ kind: kindOf(token, text, scanner.lastIndex), text: token === ':' ? ': ' : token });
    if (token === '{' || token === '[') depth += 1;
    last = token;
  }
  if (line.parts.length > 0) yield line;
}

/** @param {string} token @param {string} text @param {number} end */
function kindOf(token, text, end) {
  if (token.startsWith('"')) return isKey(text, end) ? 'key' : 'string';
  if (/^[-\d]/.test(token)) return 'number';
  return /^[tfn]/.test(token) ? 'word' : 'mark';
}

/** Whether a colon follows. @param {string} text @param {number} end */
function isKey(text, end) {
  let at = end;
  while (' \n\r\t'.includes(text.charAt(at)) && at < text.length) at += 1;
  return text.charAt(at) === ':';
}

/**
 * The text of a member of the object that `text` is, as it was sent; null if there is none.
 * @param {string} text
 * @param {string} name
 */
export function memberText(text, name) {
  const scanner = new RegExp(TOKEN);
  let depth = 0;
  let start = -1;
  for (let found = scanner.exec(text); found; found = scanner.exec(text)) {
    const token = found[0];
    if (start >= 0 && depth === 1 && (token === ',' || token === '}')) return text.slice(start, found.index).trim();
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (start < 0 && depth === 1 && token === JSON.stringify(name) && isKey(text, scanner.lastIndex)) {
      start = text.indexOf(':', scanner.lastIndex) + 1;
      scanner.lastIndex = start;
    }
  }
  return null;
}

/**
 * @param {string} text valid JSON
 * @param {string} label what it is, for screen readers
 */
export function jsonView(text, label) {
  const code = h('code', { class: 'json-code' });
  const element = h(
    'div',
    { class: 'json' },
    h('pre', { class: 'json-text', tabindex: 0, role: 'region', 'aria-label': label }, code),
  );
  const lines = jsonLines(text);
  const more = h(
    'button',
    { type: 'button', class: 'button button-small', on: { click: () => portion() } },
    'Show more lines',
  );
  let next = lines.next();
  const portion = () => {
    const fragment = document.createDocumentFragment();
    for (let drawn = 0; drawn < PORTION && !next.done; drawn += 1) {
      fragment.append(lineElement(next.value));
      next = lines.next();
    }
    code.append(fragment);
    if (next.done) more.remove();
    else element.append(more);
  };
  portion();
  return element;
}

/** @param {Line} line */
function lineElement(line) {
  const element = h('span', { class: 'json-line' });
  // Deeply nested JSON stays on the screen.
  element.style.paddingInlineStart = `${Math.min(line.indent, 24) * 1.4}em`;
  for (const part of line.parts) element.append(part.kind === 'mark' ? part.text : token(part.kind, part.text));
  return element;
}

/** @param {string} kind @param {string} text */
function token(kind, text) {
  const span = h('span', { class: `json-${kind} foreign` });
  if (text.length <= STRING_MAX) {
    span.textContent = visible(text);
    return span;
  }
  span.textContent = visible(clip(text, STRING_MAX));
  const all = h(
    'button',
    {
      type: 'button',
      class: 'link-button json-more',
      on: {
        click: () => {
          span.replaceChildren(...chunks(text));
        },
      },
    },
    `Show all (${bytes(new Blob([text]).size)})`,
  );
  span.append(' ', all);
  return span;
}

/**
 * A long text in pieces that are laid out one by one, and only when they come into sight. A piece ends with a line where
 * there is one.
 * @param {string} text
 * @param {(text: string) => string} [show]
 */
export function chunks(text, show = visible) {
  /** @type {HTMLElement[]} */
  const pieces = [];
  for (let at = 0; at < text.length;) {
    const feed = text.lastIndexOf('\n', at + CHUNK - 1);
    const end = feed > at && at + CHUNK < text.length ? feed + 1 : at + CHUNK;
    pieces.push(h('span', { class: 'chunk' }, show(text.slice(at, end))));
    at = end;
  }
  return pieces;
}
