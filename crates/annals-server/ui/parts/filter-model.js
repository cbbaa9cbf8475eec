// @ts-check
// Filters as plain data, and how they stand in the address. They have the names of the API's parameters, so that a link,
// a request and a curl line say the same thing.

/** `is` with several values is any of them, `not` none of them; `prefix` with an empty value is "has any value". */
/** @typedef {'is' | 'not' | 'prefix'} Op */
/** @typedef {{field: string, op: Op, values: string[]}} Filter */
/** What lists, statistics, histogram, tail and deletes are asked with. `range` is a preset such as `24h`. */
/** @typedef {{filters: Filter[], q: string, acknowledged: '' | 'true' | 'false', range: string, from: string, to: string}} Selection */

/** The keyword fields as the API calls them, in groups, the common ones first. @type {{group: string, fields: string[]}[]} */
export const FIELD_GROUPS = [
  { group: 'Event', fields: ['event_type', 'event_group', 'severity', 'status', 'source'] },
  {
    group: 'Resource',
    fields: ['resource_type', 'resource_id', 'project_id', 'container_id', 'org_id', 'realm_id', 'vm_id', 'task_id'],
  },
  {
    group: 'Who',
    fields: ['user_id', 'actor_type', 'actor_id', 'affected_user_uuid', 'auth_method', 'pat_uuid', 'session_id'],
  },
  {
    group: 'Request',
    fields: [
      'request_id',
      'correlation_id',
      'http_method',
      'path',
      'http_status',
      'ip_address',
      'node_ip',
      'worker_id',
    ],
  },
  { group: 'Notification', fields: ['notification', 'notification_type', 'is_public', 'is_global', 'target_user_ids'] },
];
/** @type {string[]} */
export const FIELDS = FIELD_GROUPS.flatMap((group) => group.fields);
const KNOWN = new Set(FIELDS);
/** Fields that are true or false: there is nothing to type. */
export const BOOLEAN_FIELDS = new Set(['notification', 'is_public', 'is_global']);

/** @type {Record<string, string>} */
const LABELS = {
  ip_address: 'IP address',
  node_ip: 'Node IP',
  vm_id: 'VM id',
  http_method: 'HTTP method',
  http_status: 'HTTP status',
  pat_uuid: 'PAT uuid',
  event_type: 'Type',
  created_at: 'Time',
  realm_ids: 'Realm id',
};

/** "Resource id" for `resource_id`. @param {string} field */
export function labelOf(field) {
  const words = field.replaceAll('_', ' ');
  return LABELS[field] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** The filter name of an event's member: the set `realm_ids` is filtered as `realm_id`. @param {string} member */
export function fieldOfMember(member) {
  const field = member === 'realm_ids' ? 'realm_id' : member;
  return KNOWN.has(field) ? field : null;
}

/** @returns {Selection} */
export function emptySelection() {
  return { filters: [], q: '', acknowledged: '', range: '', from: '', to: '' };
}

/** @param {URLSearchParams} params @returns {Selection} */
export function readSelection(params) {
  const selection = emptySelection();
  for (const [name, value] of params) {
    const [op, field] = splitName(name);
    if (KNOWN.has(field)) selection.filters = withValue(selection.filters, field, op, value);
  }
  const acknowledged = params.get('acknowledged');
  if (acknowledged === 'true' || acknowledged === 'false') selection.acknowledged = acknowledged;
  selection.q = params.get('q') ?? '';
  const range = params.get('range') ?? '';
  selection.range = spanOf(range) === null ? '' : range;
  selection.from = timeOf(params.get('from'));
  selection.to = timeOf(params.get('to'));
  return selection;
}

/** A time as it came, or nothing if it is none: links are typed, cut and pasted. @param {string | null} text */
function timeOf(text) {
  return text !== null && !Number.isNaN(Date.parse(text)) ? text : '';
}

/** @param {string} name @returns {[Op, string]} */
function splitName(name) {
  if (name.startsWith('not.')) return ['not', name.slice(4)];
  if (name.startsWith('prefix.')) return ['prefix', name.slice(7)];
  return ['is', name];
}

/** The parameter of a filter. @param {Filter} filter */
export function paramOf(filter) {
  return filter.op === 'is' ? filter.field : `${filter.op}.${filter.field}`;
}

/**
 * The filters alone, as parameters of a request.
 * @param {Selection} selection
 * @returns {string[][]}
 */
export function filterParams(selection) {
  const pairs = selection.filters.flatMap((filter) => filter.values.map((value) => [paramOf(filter), value]));
  if (selection.q !== '') pairs.push(['q', selection.q]);
  if (selection.acknowledged !== '') pairs.push(['acknowledged', selection.acknowledged]);
  return pairs;
}

/**
 * The selection as it stands in the address: with the preset, not with what it means at the moment.
 * @param {Selection} selection
 * @returns {string[][]}
 */
export function addressParams(selection) {
  const pairs = filterParams(selection);
  if (selection.range) pairs.push(['range', selection.range]);
  if (selection.from) pairs.push(['from', selection.from]);
  if (selection.to) pairs.push(['to', selection.to]);
  return pairs;
}

/**
 * The filters with one value more; a filter of the same field and kind takes it in.
 * @param {Filter[]} filters
 * @param {string} field
 * @param {Op} op
 * @param {string} value
 * @returns {Filter[]}
 */
export function withValue(filters, field, op, value) {
  const at = filters.findIndex((filter) => filter.field === field && filter.op === op);
  const found = filters[at];
  if (!found) return [...filters, { field, op, values: [value] }];
  if (found.values.includes(value)) return filters;
  return filters.toSpliced(at, 1, { ...found, values: [...found.values, value] });
}

/**
 * Only this value of the field, whatever it was filtered by: what a click on a value means.
 * @param {Filter[]} filters
 * @param {string} field
 * @param {string} value
 * @returns {Filter[]}
 */
export function onlyValue(filters, field, value) {
  return [
    ...filters.filter((filter) => filter.field !== field || (filter.op === 'not' && !filter.values.includes(value))),
    { field, op: 'is', values: [value] },
  ];
}

/** Whether anything narrows the selection down. @param {Selection} selection */
export function isNarrowed(selection) {
  return selection.filters.length > 0 || selection.q !== '' || selection.acknowledged !== '';
}

/** @type {Record<string, number>} */
const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** Milliseconds of `15m`, `24h`, `7d`; null if it is none. @param {string} text */
export function spanOf(text) {
  const found = /^(\d{1,6})([smhdw])$/.exec(text);
  const unit = found?.[2] ? UNITS[found[2]] : undefined;
  return found && unit ? Number(found[1]) * unit * 1000 : null;
}

/**
 * The bounds of the range as of `now`; an empty one is open.
 * @param {Selection} selection
 * @param {number} [now]
 * @returns {{from: string, to: string}}
 */
export function boundsOf(selection, now = Date.now()) {
  const ms = spanOf(selection.range);
  if (ms !== null) return { from: new Date(Math.max(0, now - ms)).toISOString(), to: '' };
  return { from: selection.from, to: selection.to };
}
