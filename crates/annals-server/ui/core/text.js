// @ts-check
// How text that others wrote is shown: what is invisible or turns the line round is written out, what is long is cut.

/**
 * Controls, the marks that reorder text (U+202A-202E, U+2066-2069, U+200E/F, U+061C), line separators and characters
 * without any width. The joiners U+200C and U+200D stay: scripts and emoji need them, and they move nothing.
 */
// eslint-disable-next-line no-control-regex
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
/** The same without tab and line feed, for places that keep lines. */
// eslint-disable-next-line no-control-regex
const HIDDEN_IN_LINES =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** @param {string} character */
function escape(character) {
  if (character === '\n') return '\u21b5';
  if (character === '\t') return '\u21e5';
  const code = character.codePointAt(0) ?? 0;
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * One line of text that shows everything it holds.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(HIDDEN, escape);
}

/**
 * The same, keeping tabs and line feeds.
 * @param {string} text
 */
export function visibleLines(text) {
  return text.replace(HIDDEN_IN_LINES, escape);
}

/**
 * The first `max` characters (UTF-16 units, never half of a pair) and an ellipsis if there are more.
 * @param {string} text
 * @param {number} max
 */
export function clip(text, max) {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? max - 1 : max;
  return `${text.slice(0, end)}\u2026`;
}

/**
 * What a table cell or a chip shows of any value: one line, everything visible, at most `max` characters.
 * @param {unknown} value
 * @param {number} [max]
 */
export function line(value, max = 300) {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return visible(clip(value.map(String).join(', '), max));
  if (typeof value === 'object') return visible(clip(JSON.stringify(value), max));
  return visible(clip(String(value), max));
}

const COUNTS = new Intl.NumberFormat('en-US');

/**
 * 1234567 as 1,234,567.
 * @param {number} number
 */
export function count(number) {
  return COUNTS.format(number);
}

/**
 * "1 event", "2,000 events".
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function countOf(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * Bytes with three digits at most.
 * @param {number} bytes
 */
export function bytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
