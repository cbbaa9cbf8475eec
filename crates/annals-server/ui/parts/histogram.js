// @ts-check
// Counts over time, stacked by severity. Hovering or the arrow keys say the exact counts of a bucket, dragging or
// Shift and the arrows choose a range, a click or Enter goes into it. A few hundred SVG rectangles need no library.
import { fill, h, s } from '../core/h.js';
import { count, countOf } from '../core/text.js';
import { formatTime, partsOf, span, zone } from '../core/time.js';
import { SEVERITIES } from './severity.js';

/** @typedef {{time: string, count: number, by?: Record<string, number>}} Bucket */
/** @typedef {{buckets: Bucket[], fromMs: number, toMs: number, stepMs: number}} Series */
/** A bucket as it is drawn: those without events too. @typedef {{fromMs: number, toMs: number, count: number, by: Record<string, number>}} Bar */

const HEIGHT = 92;
const AXIS = 18;
const LEFT = 44;
/** A drag shorter than this is a click. */
const DRAG_MIN = 5;
/** More bars than this are too thin to hit; the caller asks for fewer. */
const BARS_MAX = 2000;

/** @param {{onRange(fromMs: number, toMs: number): void}} options */
export function histogram(options) {
  return new Histogram(options);
}

export class Histogram {
  /** @param {{onRange(fromMs: number, toMs: number): void}} options */
  constructor(options) {
    this.options = options;
    /** @type {Bar[]} */
    this.bars = [];
    /** @type {Series | null} */
    this.series = null;
    this.width = 0;
    this.at = -1;
    this.anchor = -1;
    this.downX = /** @type {number | null} */ (null);
    this.svg = s('svg', { class: 'histogram-svg', height: HEIGHT, 'aria-hidden': 'true', focusable: 'false' });
    this.tip = h('div', { class: 'histogram-tip', hidden: true, 'aria-hidden': 'true' });
    this.plot = h(
      'div',
      {
        class: 'histogram-plot',
        role: 'slider',
        tabindex: 0,
        'aria-label': 'Histogram',
        'aria-describedby': 'histogram-hint',
        'aria-orientation': 'horizontal',
        'aria-valuemin': 0,
        'aria-valuemax': 0,
        'aria-valuenow': 0,
        'aria-valuetext': 'No data yet',
      },
      this.svg,
      this.tip,
    );
    this.element = h(
      'div',
      { class: 'histogram' },
      this.plot,
      h(
        'p',
        { id: 'histogram-hint', class: 'visually-hidden' },
        'Arrow keys go from bucket to bucket, with Shift they choose a range, Enter makes it the time range.',
      ),
    );
    this.listen();
    // Asking for the width would lay out the page each time.
    this.plotWidth = 0;
    this.sizes = new ResizeObserver((entries) => {
      this.plotWidth = Math.round(entries[0]?.contentRect.width ?? 0);
      this.draw();
    });
    this.sizes.observe(this.plot);
  }

  stop() {
    this.sizes.disconnect();
  }

  /** How many buckets there is room for. */
  bucketsMax() {
    return Math.max(24, Math.min(120, Math.floor(((this.plotWidth || this.plot.clientWidth || 960) - LEFT) / 9)));
  }

  /** @param {Series | null} series null empties it */
  show(series) {
    this.series = series;
    this.bars = series ? barsOf(series) : [];
    this.at = -1;
    this.anchor = -1;
    this.tip.hidden = true;
    this.plot.setAttribute('aria-valuemax', String(Math.max(0, this.bars.length - 1)));
    this.plot.setAttribute('aria-valuenow', '0');
    const total = this.bars.reduce((sum, bar) => sum + bar.count, 0);
    this.plot.setAttribute(
      'aria-valuetext',
      series
        ? `${countOf(total, 'event')} in ${countOf(this.bars.length, 'bucket')} of ${span(series.stepMs)}`
        : 'No data',
    );
    this.draw(true);
  }

  /** @param {boolean} [anew] */
  draw(anew = false) {
    const width = this.plotWidth;
    if (width === 0 || (!anew && width === this.width)) return;
    this.width = width;
    this.svg.setAttribute('width', String(width));
    const max = Math.max(1, ...this.bars.map((bar) => bar.count));
    this.hover = s('rect', { class: 'histogram-hover', y: 0, height: HEIGHT - AXIS, visibility: 'hidden' });
    this.brush = s('rect', { class: 'histogram-brush', y: 0, height: HEIGHT - AXIS, visibility: 'hidden' });
    fill(this.svg, this.grid(max), this.hover, this.stacks(max), this.brush, this.ticks());
  }

  /** @param {number} max */
  grid(max) {
    const bottom = HEIGHT - AXIS;
    const label = (/** @type {number} */ y, /** @type {number} */ value) =>
      s('text', { class: 'histogram-label', x: LEFT - 6, y, 'text-anchor': 'end' }, short(value));
    return [
      s('line', { class: 'histogram-grid', x1: LEFT, x2: this.width, y1: 6.5, y2: 6.5 }),
      s('line', { class: 'histogram-base', x1: LEFT, x2: this.width, y1: bottom + 0.5, y2: bottom + 0.5 }),
      this.bars.length > 0 ? [label(10, max), label(bottom, 0)] : null,
    ];
  }

  /** Left edge of a bar, and its width. @param {number} index */
  place(index) {
    const each = (this.width - LEFT) / Math.max(1, this.bars.length);
    return { x: LEFT + index * each, each };
  }

  /** All bars: one shape for each severity, since hundreds of elements would take their time. @param {number} max */
  stacks(max) {
    const kinds = [...SEVERITIES, 'other'];
    const paths = kinds.map(() => '');
    const room = HEIGHT - AXIS - 6;
    this.bars.forEach((bar, index) => {
      if (bar.count === 0) return;
      const { x, each } = this.place(index);
      const gap = each > 5 ? 1.5 : each > 3 ? 0.6 : 0;
      const width = Math.max(0.8, each - gap).toFixed(2);
      const known = SEVERITIES.reduce((sum, severity) => sum + (bar.by[severity] ?? 0), 0);
      let y = HEIGHT - AXIS;
      kinds.forEach((kind, at) => {
        const size = kind === 'other' ? bar.count - known : (bar.by[kind] ?? 0);
        if (size <= 0) return;
        // One event among thousands is still to be seen: whatever there is has a pixel.
        const height = Math.max(1, (size / max) * room);
        y -= height;
        paths[at] += `M${(x + gap / 2).toFixed(2)} ${y.toFixed(2)}h${width}v${height.toFixed(2)}h-${width}z`;
      });
    });
    return kinds.map((kind, at) =>
      paths[at] ? s('path', { class: 'histogram-bar', 'data-severity': kind, d: paths[at] }) : null,
    );
  }

  /** Labels below the axis, at round times of the zone. */
  ticks() {
    const series = this.series;
    if (!series || this.bars.length === 0) return null;
    const room = Math.max(2, (this.width - LEFT) / 84);
    const tickMs =
      TICKS_MS.find((candidate) => candidate >= series.stepMs && (series.toMs - series.fromMs) / candidate <= room) ??
      Number.MAX_SAFE_INTEGER;
    let last = '';
    return this.bars.map((bar, index) => {
      const label = tickLabel(bar, tickMs, last);
      const { x } = this.place(index);
      if (label === null || x + 40 > this.width) return null;
      last = formatTime(bar.fromMs, 'day');
      return [
        s('line', { class: 'histogram-base', x1: x + 0.5, x2: x + 0.5, y1: HEIGHT - AXIS, y2: HEIGHT - AXIS + 4 }),
        s('text', { class: 'histogram-label', x: x + 4, y: HEIGHT - 4 }, label),
      ];
    });
  }

  listen() {
    const plot = this.plot;
    plot.addEventListener('pointermove', (event) => this.onMove(event));
    plot.addEventListener('pointerdown', (event) => this.onDown(event));
    plot.addEventListener('pointerup', (event) => this.onUp(event));
    plot.addEventListener('pointercancel', () => this.reset());
    plot.addEventListener('pointerleave', () => {
      if (this.downX === null) this.reset();
    });
    plot.addEventListener('blur', () => this.reset());
    plot.addEventListener('keydown', (event) => this.onKey(event));
  }

  reset() {
    this.downX = null;
    this.at = -1;
    this.anchor = -1;
    this.mark();
  }

  /** @param {PointerEvent} event */
  indexAt(event) {
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    const { each } = this.place(0);
    return Math.max(0, Math.min(this.bars.length - 1, Math.floor((x - LEFT) / each)));
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    if (this.bars.length === 0) return;
    this.at = this.indexAt(event);
    if (this.downX === null) this.anchor = -1;
    this.mark();
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button !== 0 || this.bars.length === 0) return;
    this.downX = event.clientX;
    this.at = this.indexAt(event);
    this.anchor = this.at;
    this.plot.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    if (this.downX === null) return;
    const dragged = Math.abs(event.clientX - this.downX) >= DRAG_MIN;
    this.at = this.indexAt(event);
    if (!dragged) this.anchor = this.at;
    this.downX = null;
    // A finger that only looks says what is there; it takes a drag to choose.
    if (dragged || event.pointerType === 'mouse') this.choose();
    else this.anchor = -1;
    this.mark();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const size = this.bars.length;
    if (size === 0) return;
    /** @type {Record<string, number>} */
    const to = {
      ArrowLeft: this.at - 1,
      ArrowRight: this.at + 1,
      Home: 0,
      End: size - 1,
      PageUp: this.at - 10,
      PageDown: this.at + 10,
    };
    const next = to[event.key];
    if (next !== undefined) {
      if (event.shiftKey && this.anchor < 0) this.anchor = Math.max(0, this.at);
      if (!event.shiftKey) this.anchor = -1;
      this.at = this.at < 0 && event.key === 'ArrowLeft' ? size - 1 : Math.max(0, Math.min(size - 1, next));
      this.mark(true);
    } else if (event.key === 'Enter' && this.at >= 0) this.choose();
    else if (event.key === 'Escape' && this.at >= 0) this.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The first and the last bucket that are chosen. @returns {[number, number]} */
  chosen() {
    const anchor = this.anchor < 0 ? this.at : this.anchor;
    return [Math.min(anchor, this.at), Math.max(anchor, this.at)];
  }

  choose() {
    const [first, last] = this.chosen();
    const from = this.bars[first];
    const to = this.bars[last];
    if (from && to) this.options.onRange(from.fromMs, to.toMs);
  }

  /** Shows the current bucket or the range that is being chosen. @param {boolean} [byKey] */
  mark(byKey = false) {
    const [first, last] = this.chosen();
    const from = this.bars[first];
    const to = this.bars[last];
    const many = last > first;
    this.hover?.setAttribute('visibility', from && !many ? 'visible' : 'hidden');
    this.brush?.setAttribute('visibility', from && many ? 'visible' : 'hidden');
    this.tip.hidden = !from;
    if (!from || !to) return;
    const { x, each } = this.place(first);
    const shape = many ? this.brush : this.hover;
    shape?.setAttribute('x', String(x));
    shape?.setAttribute('width', String(each * (last - first + 1)));
    const sum = sumOf(this.bars.slice(first, last + 1));
    const when = `${formatTime(from.fromMs, 's')} \u2013 ${formatTime(to.toMs, 's')}`;
    fill(
      this.tip,
      h('div', { class: 'histogram-when' }, when),
      h('div', { class: 'histogram-total' }, countOf(sum.count, 'event')),
      SEVERITIES.map((severity) =>
        sum.by[severity]
          ? h(
              'div',
              { class: 'histogram-line' },
              h('span', { class: 'dot', dataset: { severity } }),
              severity,
              h('b', null, count(sum.by[severity] ?? 0)),
            )
          : null,
      ),
    );
    const middle = x + (each * (last - first + 1)) / 2;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.max(0, Math.min(this.width - 2 * half, middle - half))}px`;
    if (!byKey) return;
    const each4 = SEVERITIES.filter((severity) => sum.by[severity])
      .map((severity) => `${count(sum.by[severity] ?? 0)} ${severity}`)
      .join(', ');
    this.plot.setAttribute('aria-valuenow', String(this.at));
    this.plot.setAttribute(
      'aria-valuetext',
      `${formatTime(from.fromMs, 's')} to ${formatTime(to.toMs, 's')}: ${countOf(sum.count, 'event')}${each4 ? `, ${each4}` : ''}`,
    );
  }
}

/** @param {Bar[]} bars */
function sumOf(bars) {
  /** @type {Record<string, number>} */
  const by = {};
  for (const bar of bars) for (const [name, size] of Object.entries(bar.by)) by[name] = (by[name] ?? 0) + size;
  return { count: bars.reduce((sum, bar) => sum + bar.count, 0), by };
}

/** Every bucket of the range, from the sparse ones of the answer; the first and the last are cut to the range. @param {Series} series @returns {Bar[]} */
function barsOf(series) {
  const { stepMs, fromMs, toMs } = series;
  const start = Math.floor(fromMs / stepMs) * stepMs;
  const size = Math.min(BARS_MAX, Math.max(1, Math.ceil((toMs - start) / stepMs)));
  const bars = Array.from({ length: size }, (_, index) => ({
    fromMs: Math.max(fromMs, start + index * stepMs),
    toMs: Math.min(toMs, start + (index + 1) * stepMs),
    count: 0,
    by: /** @type {Record<string, number>} */ ({}),
  }));
  for (const bucket of series.buckets) {
    const bar = bars[Math.round((Date.parse(bucket.time) - start) / stepMs)];
    if (bar) Object.assign(bar, { count: bucket.count, by: bucket.by ?? {} });
  }
  return bars;
}

/** 12,345 as 12.3k: for the axis only, exact counts are in the tip. @param {number} value */
function short(value) {
  if (value < 10000) return count(value);
  const thousands = value / 1000;
  return thousands < 1000
    ? `${thousands < 100 ? thousands.toFixed(1) : Math.round(thousands)}k`
    : `${(thousands / 1000).toFixed(1)}M`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_MS = 86400_000;
/** Distances of labels that people read easily. */
const TICKS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200]
  .map((seconds) => seconds * 1000)
  .concat([1, 2, 4, 7, 14, 28, 61, 122, 183, 366, 732, 1830, 3660].map((days) => days * DAY_MS));

/**
 * The label of a bar if a round time lies in it: the day with the first one of a day, else the time.
 * @param {Bar} bar
 * @param {number} tickMs
 * @param {string} last day of the label before
 */
function tickLabel(bar, tickMs, last) {
  if (tickMs > 60 * DAY_MS) return monthLabel(bar, Math.round(tickMs / (30.5 * DAY_MS)));
  // Round in the zone: midnight there, not in Greenwich.
  const offset = zone() === 'utc' ? 0 : -new Date(bar.fromMs).getTimezoneOffset() * 60_000;
  const round = Math.floor((bar.toMs - 1 + offset) / tickMs) * tickMs - offset;
  if (round < bar.fromMs) return null;
  const [, month, day] = partsOf(new Date(round));
  const date = `${day} ${MONTHS[month - 1]}`;
  if (tickMs >= DAY_MS) return date;
  const time = formatTime(round, tickMs < 60_000 ? 's' : 'min').slice(11);
  return last === formatTime(bar.fromMs, 'day') || (last === '' && time !== '00:00') ? time : date;
}

/** The month that begins in a bar, if it is one of every so many. @param {Bar} bar @param {number} every */
function monthLabel(bar, every) {
  const startOf = (/** @type {number} */ months) =>
    zone() === 'utc' ? Date.UTC(0, months) : new Date(0, months).getTime();
  const [year, month] = partsOf(new Date(bar.toMs - 1));
  // Date counts years from 1900 where they have two digits: months are counted from there.
  let months = (year - 1900) * 12 + month - 1;
  for (; startOf(months) >= bar.fromMs; months -= 1) {
    if (months % every === 0) return `${MONTHS[months % 12]} ${1900 + Math.floor(months / 12)}`;
  }
  return null;
}
