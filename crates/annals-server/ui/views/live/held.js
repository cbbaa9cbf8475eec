// @ts-check
// What the live view holds: the rows of the list, and what waits to become rows. Both are bounded: a page that is left open
// for a week must not grow for a week.

/** `gone`: it is deleted by now. @typedef {Record<string, any> & {id: string, sequence: number, created_at: string, gone?: boolean}} Event */

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
    this.anyGone = false;
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

  /** An event that is deleted. A row of it stays until `purge`. @param {number} sequence @returns {Event | null} */
  remove(sequence) {
    const event = this.bySequence.get(sequence);
    if (!event) return null;
    event.gone = true;
    this.anyGone = true;
    return event;
  }

  /** Lets go of what is deleted. @returns {boolean} whether there was any */
  purge() {
    if (!this.anyGone) return false;
    this.anyGone = false;
    for (const [sequence, event] of this.bySequence) if (event.gone) this.bySequence.delete(sequence);
    this.rows = this.rows.filter((event) => !event.gone);
    this.waiting = this.waiting.filter((event) => !event.gone);
    return true;
  }
}
