// @ts-check
// The figures of the store, and what an operator has to act on.
import { h } from '../../core/h.js';
import { icon } from '../../core/icons.js';
import { bytes, count, countOf, line } from '../../core/text.js';
import { ago, formatTime, span } from '../../core/time.js';

/** @typedef {import('../../core/h.js').Children} Children */

/** What is wrong, worst first; one line if nothing is. @param {any} store @param {any} segments */
export function callouts(store, segments) {
  /** @type {[string, string, string][]} */
  const all = [];
  const unreadable = segments.partitions
    .flatMap((/** @type {any} */ partition) => partition.segments)
    .filter((/** @type {any} */ segment) => !segment.readable).length;
  if (store.poisoned)
    all.push([
      'error',
      'The store takes no writes.',
      'A write to the device failed. Restart the server; it decides from what the device holds.',
    ]);
  if (store.disk_full) all.push(['error', 'The disk is full.', 'Make room: writing resumes by itself.']);
  if (unreadable > 0)
    all.push([
      'error',
      `${countOf(unreadable, 'segment')} cannot be read.`,
      'Requests that need them are refused. Restore them from a backup, or repair the store.',
    ]);
  if (store.scrub.corrupt_blocks > 0)
    all.push([
      'error',
      `The background check found ${countOf(store.scrub.corrupt_blocks, 'damaged block')}.`,
      (store.scrub.damages ?? [])
        .map((/** @type {unknown} */ damage) => line(typeof damage === 'string' ? damage : JSON.stringify(damage), 200))
        .join('; '),
    ]);
  if (store.gap?.length > 0)
    all.push([
      'error',
      'A damaged store is served with gaps.',
      `${countOf(store.gap.length, 'range')} of sequences may be missing.`,
    ]);
  const failure = store.maintenance_failure ?? segments.compaction.failure;
  if (failure) all.push(['warn', 'Maintenance failed.', line(failure, 400)]);
  if (store.clock_steps_back > 0)
    all.push([
      'warn',
      'The clock of the machine went back.',
      `${countOf(store.clock_steps_back, 'time')} since the start.`,
    ]);
  if (all.length === 0)
    all.push(['success', 'The store is in order.', 'It takes writes, no damage is known, and its maintenance runs.']);
  return all.map(([kind, title, text]) =>
    h(
      'div',
      { class: 'card callout', dataset: { kind } },
      icon(kind === 'success' ? 'check' : 'alert'),
      h('div', { class: 'callout-text' }, h('b', null, title), ' ', text),
    ),
  );
}

/** @param {any} store @param {any} segments */
export function figureCards(store, segments) {
  const { log, compaction, scrub, last_verification: verification } = segments;
  return [
    card('Events', count(store.events), [
      `last sequence ${count(store.last_sequence)}`,
      `${count(store.last_sequence - store.durable_sequence)} not yet on the device`,
      store.tombstones > 0 ? `${count(store.tombstones)} deleted, with their bytes still there` : null,
    ]),
    card('Sealed', bytes(store.sealed_bytes), [
      countOf(store.sealed_segments, 'segment'),
      store.events > 0
        ? `${count(Math.round(store.sealed_bytes / Math.max(1, store.events - log.rows)))} bytes an event`
        : null,
    ]),
    card('Log', bytes(log.bytes), [
      `${countOf(log.rows, 'event')} not sealed yet`,
      log.waiting_to_be_sealed > 0
        ? `${countOf(log.waiting_to_be_sealed, 'log')} to be sealed, for ${span(log.seal_lag_ms)}`
        : 'nothing waits to be sealed',
      `${countOf(log.seals, 'seal')} since the start`,
    ]),
    card('Compaction', compaction.due ? 'due' : 'nothing to do', [
      `${countOf(compaction.compactions, 'compaction')} since the start`,
      compaction.failure ? 'the last one failed' : null,
    ]),
    card('Background check', scrub.running ? 'running' : scrub.finished_at ? 'between passes' : 'not begun', [
      scrub.started_at ? `began ${ago(scrub.started_at)}` : null,
      scrub.finished_at ? `last pass ended ${ago(scrub.finished_at)}` : null,
      `${countOf(scrub.passes, 'pass', 'passes')} since the start`,
      `${countOf(scrub.corrupt_blocks, 'damaged block')}`,
    ]),
    card(
      'Last verification',
      verification ? verdict(verification) : 'never',
      verification
        ? [
            ago(verification.at),
            formatTime(verification.at, 's'),
            typeof verification.events === 'number' ? countOf(verification.events, 'event') : null,
          ]
        : ['reads every byte of the store'],
    ),
  ];
}

/** @param {any} verification */
function verdict(verification) {
  if (verification.result !== 'done') return `failed: ${line(verification.result, 60)}`;
  return verification.damages ? countOf(verification.damages, 'damage') : 'sound';
}

/** @param {string} title @param {string} figure @param {(string | null)[]} more */
function card(title, figure, more) {
  return h(
    'div',
    { class: 'card figure-card' },
    h('h3', null, title),
    h('p', { class: 'figure-big' }, figure),
    h(
      'ul',
      { class: 'plain-list quiet' },
      more.filter((text) => text !== null).map((text) => h('li', null, text)),
    ),
  );
}
