// @ts-check
// The keyboard of the live view.

/** @typedef {import('../live.js').Live} Live */
/** @typedef {import('../../core/keys.js').Shortcut} Shortcut */

/** @param {Live} live @returns {Shortcut[]} */
export function liveKeys(live) {
  const { table } = live;
  /** Keys that controls have a use for themselves are the list's only while it, or nothing, has the focus. */
  const free = () =>
    document.activeElement === null ||
    ['BODY', 'MAIN'].includes(document.activeElement.tagName) ||
    document.activeElement === table.element;
  const walk = (/** @type {number} */ by) => () => {
    live.focusDetail = false;
    table.moveBy(by);
  };
  const inTable = (/** @type {() => void} */ run) => () => (free() ? run() : false);
  return [
    { key: 'p', says: 'Pause, or go on', run: () => live.list.setPaused(!live.list.paused) },
    { key: 'n', says: 'Show what is new', run: () => live.list.catchUp() },
    {
      key: '/',
      says: 'Go to the text search',
      run: () => {
        live.bar.search.focus();
        live.bar.search.select();
      },
    },
    { key: 'f', says: 'Add a filter', run: () => live.bar.addFilter() },
    { key: 'c', says: 'Choose the columns', run: () => live.chooseColumns(live.controls.columns) },
    { key: 'j', says: 'Next event', run: walk(1) },
    { key: 'k', says: 'Previous event', run: walk(-1) },
    { key: 'ArrowDown', says: 'Next event', run: inTable(walk(1)) },
    { key: 'ArrowUp', says: 'Previous event', run: inTable(walk(-1)) },
    { key: 'PageDown', says: 'A screen down', run: inTable(() => table.moveBy(table.screenful())) },
    { key: 'PageUp', says: 'A screen up', run: inTable(() => table.moveBy(-table.screenful())) },
    { key: 'Home', says: 'First row', run: inTable(() => table.moveTo(0)) },
    { key: 'End', says: 'Last row', run: inTable(() => table.moveTo(table.events.length - 1)) },
    {
      key: 'Enter',
      says: 'Open the event',
      run: inTable(() => {
        live.focusDetail = true;
        live.openRow(table.active, false);
      }),
    },
    { key: 'Escape', says: 'Close the detail, or leave the row', run: () => live.escape() },
    { key: 'a', says: 'Acknowledge the event, or take it back', run: () => acknowledge(live) },
  ];
}

/** The open event, or else the row. @param {Live} live */
function acknowledge(live) {
  const event = live.detail.event ?? live.table.activeEvent();
  void live.detail.markEvent(event, event?.acknowledged !== true);
}
