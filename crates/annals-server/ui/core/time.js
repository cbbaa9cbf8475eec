// @ts-check
// Times. The API speaks RFC 3339 with microseconds; people read the local zone or UTC. Decimals come from the text,
// since a Date has milliseconds only.
import { getPref, onPref, setPref } from './prefs.js';

/** @typedef {'local' | 'utc'} Zone */
/** @typedef {'s' | 'ms' | 'us' | 'min' | 'day'} Precision */

/** The zone in use, read once and not for each cell of a table. @type {Zone} */
let inUse = getPref('zone', /** @type {string} */ ('local')) === 'utc' ? 'utc' : 'local';

/** @returns {Zone} */
export function zone() {
  return inUse;
}

/** @param {Zone} zone */
export function setZone(zone) {
  inUse = zone;
  setPref('zone', zone);
}

/**
 * @param {() => void} listener
 * @returns {() => void} stops it
 */
export function onZone(listener) {
  return onPref('zone', listener);
}

/** @param {number} number @param {number} [digits] */
function pad(number, digits = 2) {
  return String(number).padStart(digits, '0');
}

/**
 * The six decimals of an RFC 3339 text.
 * @param {string} text
 */
function decimals(text) {
  const found = /\.(\d{1,9})/.exec(text);
  return (found?.[1] ?? '').padEnd(6, '0').slice(0, 6);
}

/**
 * `2026-11-23 08:30:10.295` in the zone of the person.
 * @param {string | number} time RFC 3339, or milliseconds
 * @param {Precision} [precision]
 */
export function formatTime(time, precision = 'ms') {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const [year, month, day, hour, minute, second] = partsOf(date);
  const start = `${pad(year, 4)}-${pad(month)}-${pad(day)}`;
  if (precision === 'day') return start;
  if (precision === 'min') return `${start} ${pad(hour)}:${pad(minute)}`;
  const whole = `${start} ${pad(hour)}:${pad(minute)}:${pad(second)}`;
  if (precision === 's') return whole;
  const fraction = typeof time === 'string' ? decimals(time) : `${pad(date.getUTCMilliseconds(), 3)}000`;
  return `${whole}.${precision === 'us' ? fraction : fraction.slice(0, 3)}`;
}

/**
 * Year, month (from 1), day, hour, minute, second in the zone.
 * @param {Date} date
 * @returns {[number, number, number, number, number, number]}
 */
export function partsOf(date) {
  if (inUse === 'utc') {
    return [
      date.getUTCFullYear(),
      date.getUTCMonth() + 1,
      date.getUTCDate(),
      date.getUTCHours(),
      date.getUTCMinutes(),
      date.getUTCSeconds(),
    ];
  }
  return [
    date.getFullYear(),
    date.getMonth() + 1,
    date.getDate(),
    date.getHours(),
    date.getMinutes(),
    date.getSeconds(),
  ];
}

/** "UTC", or "UTC+02:00" for the local zone at that time. @param {Date} [at] */
export function zoneLabel(at = new Date()) {
  const minutes = inUse === 'utc' ? 0 : -at.getTimezoneOffset();
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? '\u2212' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/**
 * The text of an `<input type="datetime-local" step="1">` for a time.
 * @param {string | number} time
 */
export function toInput(time) {
  return formatTime(time, 's').replace(' ', 'T');
}

/**
 * Reads such an input as a time of the zone; null if it is none.
 * @param {string} text
 * @returns {string | null} RFC 3339 in UTC
 */
export function fromInput(text) {
  if (text === '') return null;
  const date = new Date(inUse === 'utc' ? `${text}Z` : text);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/**
 * "90 s", "3 min", "2 d 4 h".
 * @param {number} ms
 */
export function span(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * "3 min ago"; "in 3 min" for what is to come.
 * @param {string | number} time
 * @param {number} [now]
 */
export function ago(time, now = Date.now()) {
  const ms = now - new Date(time).getTime();
  if (Math.abs(ms) < 5000) return 'now';
  return ms > 0 ? `${span(ms)} ago` : `in ${span(-ms)}`;
}
