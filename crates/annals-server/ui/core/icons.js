// @ts-check
// Line icons on a grid of 16, drawn for this page. They say nothing to screen readers: the control has the name.
import { s } from './h.js';

/** @type {Record<string, string>} */
const PATHS = {
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.5 10.5 14 14',
  'zoom-out': 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.5 10.5 14 14M5 7h4',
  close: 'M4 4l8 8M12 4l-8 8',
  check: 'M3 8.5l3.2 3.2L13 5',
  alert: 'M8 2.2 14.4 13.4H1.6ZM8 6.4v3.2M8 11.5v.2',
  info: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 7.3v3.6M8 5v.2',
  bell: 'M4 11.3V7a4 4 0 0 1 8 0v4.3l1 1.2H3ZM6.7 14h2.6',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1',
  moon: 'M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6Z',
  auto: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 2v12M8 5h3.6M8 8h6M8 11h3.6',
  clock: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM8 4.6V8l2.4 1.6',
  exit: 'M6.5 2.5h-3v11h3M10 5l3 3-3 3M13 8H6.5',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  copy: 'M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3',
  link: 'M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2A2.6 2.6 0 0 0 9 3.3l-.7.7M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9A2.6 2.6 0 0 0 7 12.7l.7-.7',
  trash: 'M2.8 4.2h10.4M6.2 4V2.5h3.6V4M4.2 4.2l.6 9.3h6.4l.6-9.3M6.8 6.8v4M9.2 6.8v4',
  columns: 'M2.5 3h11v10h-11ZM6.2 3v10M9.8 3v10',
  refresh: 'M13.2 8A5.2 5.2 0 1 1 11.5 4.1M11.8 1.6v2.8H9',
  first: 'M11 3.5 6.5 8l4.5 4.5M4.5 3.5v9',
  last: 'M5 3.5 9.5 8 5 12.5M11.5 3.5v9',
  left: 'M10 3.5 5.5 8l4.5 4.5',
  right: 'M6 3.5 10.5 8 6 12.5',
  up: 'M3.5 10 8 5.5l4.5 4.5',
  down: 'M3.5 6 8 10.5 12.5 6',
  list: 'M2.5 4h11M2.5 8h11M2.5 12h11',
  bars: 'M3 13V8M6.4 13V3M9.8 13V6M13.2 13v-3',
  keyboard: 'M1.8 4h12.4v8H1.8ZM4.3 6.6h.2M7 6.6h.2M9.7 6.6h.2M12 6.6h.2M5 9.4h6',
  filter: 'M2 3h12L9.4 8.4v4.8L6.6 12V8.4Z',
  exclude: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2ZM3.8 3.8l8.4 8.4',
  play: 'M5 3.2v9.6L12.6 8Z',
  pause: 'M5.2 3.2v9.6M10.8 3.2v9.6',
  gear: 'M8 5.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4ZM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4',
  more: 'M3.4 8h.2M7.9 8h.2M12.4 8h.2',
  expand: 'M9.5 2.5h4v4M13.5 2.5 9 7M6.5 13.5h-4v-4M2.5 13.5 7 9',
};

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const path = PATHS[name];
  if (path === undefined) throw new Error(`no icon is called ${name}`);
  return s(
    'svg',
    { class: 'icon', viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', focusable: 'false' },
    s('path', { d: path }),
  );
}
