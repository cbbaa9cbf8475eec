// @ts-check
// The filter of a hold in words.
import { line } from '../../core/text.js';
import { formatTime } from '../../core/time.js';
import { labelOf } from '../../parts/filter-model.js';

/** A filter names so many of its values, then how many there are besides. */
const VALUES_SHOWN = 5;

/** The parts that all have to be true. @param {any} filter @returns {string[]} */
export function describe(filter) {
  return Array.isArray(filter?.and) ? filter.and.flatMap(describe) : [part(filter)];
}

/** @param {any} filter @returns {string} */
function part(filter) {
  if (filter?.all) return 'Every event';
  if (typeof filter?.not?.field === 'string' && filter.not.any_of)
    return `${labelOf(line(filter.not.field, 60))} is not ${valuesOf(filter.not.any_of)}`;
  if (filter?.not) return `Not: ${part(filter.not)}`;
  if (Array.isArray(filter?.and)) return filter.and.map(part).join(' and ');
  if (Array.isArray(filter?.or)) return filter.or.map(part).join(', or ');
  if (typeof filter?.field === 'string') return `${labelOf(line(filter.field, 60))} ${comparison(filter)}`;
  if (filter?.contains !== undefined) return `${labelOf(line(filter.in, 60))} has ${line(filter.contains, 80)}`;
  if (filter?.equals !== undefined) return `${labelOf(line(filter.in, 60))} is ${line(filter.equals, 80)}`;
  if (filter?.acknowledged !== undefined) return filter.acknowledged ? 'Acknowledged' : 'Not acknowledged';
  if ('from' in filter || 'to' in filter)
    return [
      filter.from && `from ${formatTime(filter.from, 's')} on`,
      filter.to && `before ${formatTime(filter.to, 's')}`,
    ]
      .filter(Boolean)
      .join(', ')
      .replace(/^./, (first) => first.toUpperCase());
  return line(filter, 200);
}

/** @param {any} filter */
function comparison(filter) {
  if (filter.prefix !== undefined)
    return filter.prefix === '' ? 'has any value' : `starts with ${line(filter.prefix, 80)}`;
  return filter.all_of ? `only of ${valuesOf(filter.all_of)}` : `is ${valuesOf(filter.any_of ?? [])}`;
}

/** @param {unknown[]} values */
function valuesOf(values) {
  const shown = values
    .slice(0, VALUES_SHOWN)
    .map((value) => line(value, 60))
    .join(', ');
  const besides = values.length - VALUES_SHOWN;
  return `${shown}${besides > 0 ? ` and ${besides} more` : ''}`;
}
