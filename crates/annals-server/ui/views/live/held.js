// @ts-check
// What the live view holds: the rows of the list, and what waits to become rows. Both are bounded: a page that is left open
// for a week must not grow for a week.

/** @typedef {Record<string, any> & {id: string, sequence: number, created_at: string}} Event */

/** Rows kept; older ones are found by the search. */
export const ROWS_MAX = 5000;

export class Held {
  constructor() {
    /** The list, latest first. @type {Event[]} */
    this.rows = [];
    /** What came since, in the order it came. @type {Event[]} */
    this.waiting = [];
    /** How many of those that waited were let go because more came than there are rows. */
    this.passed = 0;
    /** Sequences of both. @type {Map<number, Event>} */
    this.bySequence = new Map();
  }

  clear() {
    this.rows = [];
    this.waiting = [];
    this.passed = 0;
    this.bySequence.clear();
  }

  /** How many came and are no rows yet. */
  waitingCount() {
    return this.waiting.length + this.passed;
  }

  /** @param {Event} event @returns {boolean} whether it is new */
  push(event) {
    if (this.bySequence.has(event.sequence)) return false;
    this.bySequence.set(event.sequence, event);
    this.waiting.push(event);
    // In slices, since taking one away at a time from the front would move all others each time.
    if (this.waiting.length >= ROWS_MAX * 2) this.forgetWaiting();
    return true;
  }

  forgetWaiting() {
    const gone = this.waiting.splice(0, this.waiting.length - ROWS_MAX);
    for (const event of gone) this.bySequence.delete(event.sequence);
    this.passed += gone.length;
  }

  /** Makes rows of what waits. @returns {{added: number, passed: number}} */
  release() {
    if (this.waiting.length > ROWS_MAX) this.forgetWaiting();
    const { waiting, passed } = this;
    this.waiting = [];
    this.passed = 0;
    this.rows = [...waiting.reverse(), ...this.rows];
    this.cut();
    return { added: waiting.length, passed };
  }

  cut() {
    for (const event of this.rows.splice(ROWS_MAX)) this.bySequence.delete(event.sequence);
  }

  /** Earlier events, latest first, below what there is. @param {Event[]} events */
  appendEarlier(events) {
    const fresh = events.filter((event) => !this.bySequence.has(event.sequence));
    for (const event of fresh) this.bySequence.set(event.sequence, event);
    this.rows = [...this.rows, ...fresh];
    this.cut();
  }

  /** @param {number} sequence @param {Partial<Event>} change @returns {Event | null} the event as it is now, if it is held */
  change(sequence, change) {
    const event = this.bySequence.get(sequence);
    return event ? Object.assign(event, change) : null;
  }

  /** @param {number} sequence @returns {boolean} whether the list has a row less */
  remove(sequence) {
    if (!this.bySequence.delete(sequence)) return false;
    const before = this.rows.length;
    const others = (/** @type {Event} */ event) => event.sequence !== sequence;
    this.rows = this.rows.filter(others);
    this.waiting = this.waiting.filter(others);
    return this.rows.length < before;
  }
}
