// @ts-check
// The segments of the store, partition by partition; a partition opens to show its segments.
import { fill, h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { bytes, count, countOf, line } from '../../core/text.js';
import { formatTime } from '../../core/time.js';
import { button } from './shared.js';

/** @typedef {{id: number, bytes: number, events: number, deleted: number, created_at_min: string, created_at_max: string, first_sequence: number, last_sequence: number, sealed_at: string | null, packed: boolean | null, readable: boolean, scrubbed: boolean | null}} Segment */
/** @typedef {{start: string, end: string | null, span: string | null, segments: Segment[]}} Partition */

/** @param {{onMore(): void}} options */
export function partitionTable(options) {
  /** Partitions that are open, by their start and span: they stay so when the figures renew themselves. @type {Set<string>} */
  const opened = new Set();
  let drawn = '';
  const element = h('section', { class: 'admin-stack', 'aria-label': 'Partitions' });
  /** @type {any} */
  let shown = null;
  const draw = () => {
    /** @type {Partition[]} */
    const partitions = shown.partitions;
    const most = Math.max(1, ...partitions.map(bytesOf));
    const focus =
      document.activeElement instanceof HTMLElement && element.contains(document.activeElement)
        ? document.activeElement.dataset.partition
        : undefined;
    fill(
      element,
      h(
        'h3',
        null,
        'Partitions ',
        h('span', { class: 'quiet' }, `${count(partitions.length)} with ${countOf(shown.total, 'segment')}`),
      ),
      partitions.length === 0
        ? h('p', { class: 'quiet' }, 'Nothing is sealed yet: all events are in the log.')
        : h(
            'div',
            { class: 'data-wrap' },
            h(
              'table',
              { class: 'data partitions' },
              h('caption', { class: 'visually-hidden' }, 'Partitions'),
              h(
                'thead',
                null,
                h(
                  'tr',
                  null,
                  HEAD.map(([title, kind]) => h('th', { scope: 'col', class: kind }, title)),
                ),
              ),
              partitions.toReversed().map((partition) => rows(partition, most, opened, draw)),
            ),
          ),
      shown.total > shown.offset + partitions.reduce((sum, partition) => sum + partition.segments.length, 0)
        ? h('div', null, button('Show more segments', '', options.onMore))
        : null,
    );
    if (focus)
      /** @type {HTMLElement | null} */ (element.querySelector(`[data-partition="${CSS.escape(focus)}"]`))?.focus();
  };
  return {
    element,
    /** @param {any} segments @param {boolean} anew */
    show(segments, anew) {
      const key = JSON.stringify([segments.partitions, segments.total]);
      if (key === drawn && !anew) return;
      drawn = key;
      shown = segments;
      draw();
    },
  };
}

/** @type {[string, string | null][]} */
const HEAD = [
  ['Partition', null],
  ['Segments', 'number'],
  ['Events', 'number'],
  ['Deleted', 'number'],
  ['Bytes', 'number'],
  ['State', null],
];

/** @param {Partition} partition */
function bytesOf(partition) {
  return partition.segments.reduce((sum, segment) => sum + segment.bytes, 0);
}

/** @param {Partition} partition @param {number} most @param {Set<string>} opened @param {() => void} draw */
function rows(partition, most, opened, draw) {
  const key = `${partition.start} ${partition.span}`;
  const open = opened.has(key);
  const { segments } = partition;
  const size = bytesOf(partition);
  const sum = (/** @type {(segment: Segment) => number} */ of) =>
    segments.reduce((total, segment) => total + of(segment), 0);
  const name = nameOf(partition);
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'partition-toggle',
      'aria-expanded': String(open),
      dataset: { partition: key },
      on: {
        click: () => {
          if (open) opened.delete(key);
          else opened.add(key);
          draw();
        },
      },
    },
    icon(open ? 'down' : 'right'),
    h('span', null, h('span', { class: 'visually-hidden' }, 'Segments of '), name),
    partition.span ? h('span', { class: 'quiet' }, line(partition.span, 20)) : null,
  );
  const bar = h('i', { class: 'size-bar' });
  bar.style.width = `${Math.max(1, (size / most) * 100)}%`;
  return h(
    'tbody',
    null,
    h(
      'tr',
      null,
      h('td', { dataset: { title: 'Partition' }, class: 'narrow-wide' }, toggle),
      number('Segments', count(segments.length)),
      number('Events', count(sum((each) => each.events))),
      number('Deleted', count(sum((each) => each.deleted))),
      h('td', { class: 'number size-cell', dataset: { title: 'Bytes' } }, h('span', null, bytes(size)), bar),
      h('td', { dataset: { title: 'State' } }, stateOf(segments)),
    ),
    open ? segments.map(segmentRow) : null,
  );
}

/** @param {string} title @param {string} text */
function number(title, text) {
  return h('td', { class: 'number', dataset: { title } }, text);
}

/** @param {Segment} segment */
function segmentRow(segment) {
  const times = `${formatTime(segment.created_at_min, 's')} \u2013 ${formatTime(segment.created_at_max, 's')}`;
  return h(
    'tr',
    { class: 'segment-row' },
    h(
      'td',
      { dataset: { title: 'Segment' }, class: 'narrow-wide' },
      h('div', null, `Segment ${segment.id}`),
      h('div', { class: 'quiet' }, times),
      h('div', { class: 'quiet' }, `sequences ${count(segment.first_sequence)} \u2013 ${count(segment.last_sequence)}`),
    ),
    number('Segments', ''),
    number('Events', count(segment.events)),
    number('Deleted', count(segment.deleted)),
    number('Bytes', bytes(segment.bytes)),
    h(
      'td',
      { dataset: { title: 'State' } },
      h(
        'span',
        { class: 'tags' },
        segment.readable
          ? h('span', { class: 'badge' }, segment.packed ? 'packed' : 'sealed')
          : h('span', { class: 'badge', dataset: { severity: 'error' } }, 'damaged'),
        segment.scrubbed ? h('span', { class: 'badge', dataset: { severity: 'success' } }, 'checked') : null,
      ),
      segment.sealed_at ? h('div', { class: 'quiet' }, `sealed ${formatTime(segment.sealed_at, 's')}`) : null,
    ),
  );
}

/** @param {Segment[]} segments */
function stateOf(segments) {
  const damaged = segments.filter((segment) => !segment.readable).length;
  const packed = segments.filter((segment) => segment.packed === true).length;
  return h(
    'span',
    { class: 'tags' },
    damaged > 0 ? h('span', { class: 'badge', dataset: { severity: 'error' } }, `${count(damaged)} damaged`) : null,
    packed > 0
      ? h('span', { class: 'badge' }, packed === segments.length ? 'packed' : `${count(packed)} packed`)
      : null,
    packed + damaged < segments.length
      ? h('span', { class: 'badge' }, packed > 0 ? `${count(segments.length - packed - damaged)} sealed` : 'sealed')
      : null,
  );
}

/** The time that a partition covers, as short as it can be told. @param {Partition} partition */
function nameOf(partition) {
  const midnight = (/** @type {string} */ time) => formatTime(time, 'min').endsWith('00:00');
  const short = (/** @type {string} */ time) =>
    midnight(partition.start) && (partition.end === null || midnight(partition.end))
      ? formatTime(time, 'day')
      : formatTime(time, 'min');
  return partition.end === null
    ? `from ${short(partition.start)}`
    : `${short(partition.start)} \u2013 ${short(partition.end)}`;
}
