// @ts-check
// A tail that stays: it comes back by itself behind the last sequence it had, so that nothing is missed or told twice. While
// the tab is in the background it lets go of its connection, of which a browser has few, and goes on from there later.
import { ApiError, isAbort, send } from '../../core/api.js';
import { readMessages } from './sse.js';

/**
 * `waiting` says when it tries again; `refused` that it does not; `away` that the tab is in the background.
 * @typedef {{name: 'connecting' | 'live' | 'waiting' | 'refused' | 'away' | 'stopped', error: ApiError | null, retryAt: number}} TailState
 */
/**
 * `query` is asked before each connection. `onOpen` comes when the tail has its place in the store: `resumed` if it goes on
 * behind an earlier one.
 * @typedef {{query(): string[][], onEvent(sequence: string, data: string): void, onMessage(name: string, data: any): void,
 *   onOpen(resumed: boolean): void, onState(state: TailState): void, awayAfterMs: number}} TailOptions
 */

/** Waits between attempts, twice as long each time up to the last. */
const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000, 15000, 30000];
/** A connection that lived so long was a good one: the next failure is the first again. */
const GOOD_MS = 10_000;
/**
 * The server shows that it is there every 15 s, unless it is set to another time; after so long the line is dead. Each time
 * that was said in vain it takes twice as long.
 */
const SILENCE_MS = 35_000;
const SILENCE_MAX_MS = 600_000;

export class Tail {
  /** @param {TailOptions} options */
  constructor(options) {
    this.options = options;
    /** The position: everything up to it was seen. Empty before the first connection. */
    this.position = '';
    this.failures = 0;
    this.silenceMs = SILENCE_MS;
    this.controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retryTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.awayTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silenceTimer = undefined;
    /** @type {TailState} */
    this.state = { name: 'stopped', error: null, retryAt: 0 };
    this.onVisible = () => this.visibilityChanged();
    this.onOnline = () => {
      if (this.state.name === 'waiting') this.connect();
    };
    document.addEventListener('visibilitychange', this.onVisible);
    addEventListener('online', this.onOnline);
  }

  /** Begins anew with what comes from now on. */
  start() {
    this.position = '';
    this.failures = 0;
    this.connect();
  }

  /** Tries again at once. */
  retry() {
    this.failures = 0;
    this.connect();
  }

  stop() {
    document.removeEventListener('visibilitychange', this.onVisible);
    removeEventListener('online', this.onOnline);
    clearTimeout(this.awayTimer);
    this.close({ name: 'stopped', error: null, retryAt: 0 });
  }

  visibilityChanged() {
    clearTimeout(this.awayTimer);
    if (document.hidden) {
      this.awayTimer = setTimeout(
        () => this.close({ name: 'away', error: null, retryAt: 0 }),
        this.options.awayAfterMs,
      );
    } else if (this.state.name === 'away') this.connect();
  }

  /** @param {TailState} state */
  close(state) {
    this.controller.abort();
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    this.tell(state);
  }

  /** @param {TailState} state */
  tell(state) {
    this.state = state;
    this.options.onState(state);
  }

  connect() {
    this.close({ name: 'connecting', error: null, retryAt: 0 });
    this.controller = new AbortController();
    void this.run(this.controller);
  }

  /** One connection, from its request to its end. @param {AbortController} controller */
  async run(controller) {
    const { signal } = controller;
    const began = performance.now();
    /** @type {ApiError | null} */
    let error = null;
    try {
      const resumed = this.position !== '';
      const response = await send('GET', 'tail', {
        query: [...this.options.query(), ['marks', 'true']],
        headers: { accept: 'text/event-stream', ...(resumed ? { 'last-event-id': this.position } : {}) },
        signal,
      });
      if (signal.aborted) return;
      this.tell({ name: 'live', error: null, retryAt: 0 });
      this.options.onOpen(resumed);
      const onLife = () => this.alive(controller);
      onLife();
      await readMessages(
        response,
        (message) => {
          if (!signal.aborted) this.take(message);
        },
        onLife,
      );
    } catch (caught) {
      if (isAbort(caught) && signal.aborted && signal.reason !== 'silent') return;
      error = caught instanceof ApiError ? caught : new ApiError('lost', 'The connection broke off.');
    }
    if (signal.aborted && signal.reason !== 'silent') return;
    clearTimeout(this.silenceTimer);
    if (performance.now() - began > GOOD_MS) this.failures = 0;
    this.failed(error ?? new ApiError('lost', 'The server ended the stream.'));
  }

  /** @param {AbortController} controller */
  alive(controller) {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      this.silenceMs = Math.min(this.silenceMs * 2, SILENCE_MAX_MS);
      controller.abort('silent');
    }, this.silenceMs);
  }

  /** @param {import('./sse.js').Message} message */
  take(message) {
    if (message.id !== '') this.position = message.id;
    if (message.data === '') return;
    if (message.name === '') this.options.onEvent(message.id, message.data);
    else this.options.onMessage(message.name, JSON.parse(message.data));
  }

  /** @param {ApiError} error */
  failed(error) {
    if (error.kind === 'unauthorized' || error.kind === 'forbidden' || error.kind === 'invalid') {
      this.close({ name: 'refused', error, retryAt: 0 });
      return;
    }
    const step = BACK_OFF_MS[Math.min(this.failures, BACK_OFF_MS.length - 1)] ?? 30_000;
    this.failures += 1;
    // Spread, so that a server that starts again does not meet all of its pages at the same moment.
    const wait = Math.max(step * (0.8 + Math.random() * 0.4), (error.retryAfterS ?? 0) * 1000);
    this.close({ name: 'waiting', error, retryAt: Date.now() + wait });
    this.retryTimer = setTimeout(() => this.connect(), wait);
  }
}
