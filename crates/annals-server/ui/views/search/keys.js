// @ts-check
// The keyboard of the search.

/** @typedef {import('../search.js').Search} Search */
/** @typedef {import('../../core/keys.js').Shortcut} Shortcut */

/** @param {Search} search @returns {Shortcut[]} */
export function searchKeys(search) {
  const table = () => search.table;
  /** Keys that controls have a use for themselves are the table's only while it, or nothing, has the focus. */
  const free = () =>
    document.activeElement === null ||
    ['BODY', 'MAIN'].includes(document.activeElement.tagName) ||
    document.activeElement === table().element;
  const walk = (/** @type {number} */ by) => () => {
    search.focusDetail = false;
    table().moveBy(by);
  };
  const inTable = (/** @type {() => void} */ run) => () => (free() ? run() : false);
  return [
    {
      key: '/',
      says: 'Go to the text search',
      run: () => {
        search.bar.search.focus();
        search.bar.search.select();
      },
    },
    { key: 'f', says: 'Add a filter', run: () => search.bar.addFilter() },
    { key: 't', says: 'Choose the time range', run: () => search.range.open() },
    { key: 'z', says: 'Zoom out: twice the time', run: () => search.zoomOut() },
    { key: 'j', says: 'Next event', run: walk(1) },
    { key: 'k', says: 'Previous event', run: walk(-1) },
    { key: 'ArrowDown', says: 'Next event', run: inTable(walk(1)) },
    { key: 'ArrowUp', says: 'Previous event', run: inTable(walk(-1)) },
    { key: 'PageDown', says: 'A screen down', run: inTable(() => table().moveBy(table().screenful())) },
    { key: 'PageUp', says: 'A screen up', run: inTable(() => table().moveBy(-table().screenful())) },
    { key: 'Home', says: 'First row', run: inTable(() => table().moveTo(0)) },
    { key: 'End', says: 'Last row', run: inTable(() => table().moveTo(table().events.length - 1)) },
    {
      key: 'Enter',
      says: 'Open the event',
      run: inTable(() => {
        search.focusDetail = true;
        search.openRow(table().active, false);
      }),
    },
    { key: 'Escape', says: 'Close the detail', run: () => (search.state?.event ? search.closeDetail() : false) },
    { key: 'a', says: 'Acknowledge the event, or take it back', run: () => acknowledge(search) },
    { key: 'n', says: 'Next page', run: () => search.pager.step(1) },
    { key: 'p', says: 'Previous page', run: () => search.pager.step(-1) },
    { key: 'g p', says: 'Go to a page by its number', run: () => search.pager.input.focus() },
    { key: 'r', says: 'Refresh', run: () => search.refresh() },
    { key: 'c', says: 'Choose the columns', run: () => search.chooseColumns(search.tools.columns) },
    {
      key: 's',
      says: 'Events or statistics',
      run: () => search.change({ tab: search.state?.tab === 'statistics' ? 'events' : 'statistics' }),
    },
  ];
}

/** The open event, or else the row. @param {Search} search */
function acknowledge(search) {
  const event = search.detail.event ?? search.table.activeEvent();
  void search.detail.markEvent(event, event?.acknowledged !== true);
}
