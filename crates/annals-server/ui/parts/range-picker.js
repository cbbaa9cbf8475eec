// @ts-check
// The time range: a preset that moves with the clock, or two times.
import { fill, h } from '../core/h.js';
import { icon } from '../core/icons.js';
import { formatTime, fromInput, toInput, zoneLabel } from '../core/time.js';
import { spanOf } from './filter-model.js';
import { openPopover } from './popover.js';

/** @typedef {{range: string, from: string, to: string}} Range */

/** @type {[string, string][]} */
const PRESETS = [
  ['15m', 'Last 15 minutes'],
  ['1h', 'Last hour'],
  ['6h', 'Last 6 hours'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['90d', 'Last 90 days'],
  ['', 'All time'],
];

/** @param {Range} range */
export function rangeLabel(range) {
  if (spanOf(range.range) !== null) return PRESETS.find(([name]) => name === range.range)?.[1] ?? `Last ${range.range}`;
  if (range.from && range.to) {
    const same = formatTime(range.from, 'day') === formatTime(range.to, 'day');
    return `${formatTime(range.from, 's')} \u2013 ${same ? formatTime(range.to, 's').slice(11) : formatTime(range.to, 's')}`;
  }
  if (range.from) return `Since ${formatTime(range.from, 's')}`;
  return range.to ? `Before ${formatTime(range.to, 's')}` : 'All time';
}

/** @param {{onChange(range: Range): void}} options */
export function rangePicker(options) {
  /** @type {Range} */
  let now = { range: '', from: '', to: '' };
  const text = h('span', { class: 'range-text' });
  const button = h(
    'button',
    {
      type: 'button',
      class: 'button range-button',
      'aria-haspopup': 'dialog',
      'aria-expanded': 'false',
      on: { click: () => openRange(button, now, options.onChange) },
    },
    icon('clock'),
    text,
    icon('down'),
  );
  return {
    element: button,
    open: () => openRange(button, now, options.onChange),
    /** @param {Range} range */
    show(range) {
      now = range;
      text.textContent = rangeLabel(range);
      button.setAttribute('aria-label', `Time range: ${rangeLabel(range)}`);
    },
  };
}

/** @param {HTMLElement} anchor @param {Range} now @param {(range: Range) => void} onChange */
function openRange(anchor, now, onChange) {
  const choose = (/** @type {Range} */ range) => {
    popover.close();
    onChange(range);
  };
  const input = (/** @type {string} */ label, /** @type {string} */ value) => {
    const element = h('input', {
      class: 'input',
      type: 'datetime-local',
      step: 1,
      min: '1970-01-01T00:00:00',
      max: '9999-12-31T23:59:59',
      value: value ? toInput(value) : '',
    });
    return { element, field: h('label', { class: 'field' }, h('span', { class: 'label' }, label), element) };
  };
  const from = input('From (inclusive)', now.from);
  const to = input('To (exclusive)', now.to);
  const message = h('p', { class: 'error-text', role: 'alert' });
  const apply = () => {
    const range = { range: '', from: fromInput(from.element.value) ?? '', to: fromInput(to.element.value) ?? '' };
    if (!range.from && !range.to) fill(message, 'Give at least one of the two times.');
    else if (range.from && range.to && range.from >= range.to) fill(message, 'The end has to be after the beginning.');
    else choose(range);
  };
  const onEnter = (/** @type {any} */ event) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      apply();
    }
  };
  for (const field of [from, to]) field.element.addEventListener('keydown', onEnter);
  const absolute = now.from !== '' || now.to !== '';
  const popover = openPopover(anchor, {
    label: 'Time range',
    className: 'range-popover',
    body: [
      h(
        'div',
        { class: 'range-presets', role: 'group', 'aria-label': 'Presets' },
        PRESETS.map(([name, says]) =>
          h(
            'button',
            {
              type: 'button',
              class: 'menu-item',
              'aria-pressed': String(!absolute && name === now.range),
              on: { click: () => choose({ range: name, from: '', to: '' }) },
            },
            says,
          ),
        ),
      ),
      h(
        'div',
        { class: 'range-custom' },
        from.field,
        to.field,
        h('p', { class: 'quiet' }, `Times are ${zoneLabel() === 'UTC' ? 'UTC' : `local, ${zoneLabel()}`}.`),
        message,
        h('button', { type: 'button', class: 'button button-primary', on: { click: apply } }, 'Apply range'),
      ),
    ],
  });
}
