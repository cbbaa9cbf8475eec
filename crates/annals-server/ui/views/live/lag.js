// @ts-check
// Whether the tail has fallen behind. The server waits for a slow client and loses nothing, but a person who looks at a live
// list has to know when it is not live.
import { latest } from '../../core/api.js';
import { loadLatest } from './recent.js';

/** @typedef {import('../search/state.js').State} State */
/** @typedef {{state(): State | null, position(): number, onBehind(by: number): void, onCaughtUp(): void}} LagOptions */

/** What was the latest so long ago has to be there by now. */
const CHECK_EVERY_MS = 5000;

/** @param {LagOptions} options `state` is null while there is nothing to compare */
export function watchLag(options) {
  const requests = latest();
  /** The latest event at the last look. */
  let before = 0;
  let behind = false;
  /** The position moves on with events that do not match only in silence: a look is due when the tail moved, or is behind. */
  let moved = -1;
  const check = async () => {
    const state = options.state();
    const position = options.position();
    if (!state || document.hidden || (position === moved && !behind)) {
      before = 0;
      return;
    }
    moved = position;
    if (before > position) {
      behind = true;
      options.onBehind(before - position);
    } else if (behind) {
      behind = false;
      options.onCaughtUp();
    }
    try {
      before = await loadLatest(state, requests.start());
    } catch {
      // The tail itself says what is wrong with the connection.
      before = 0;
    }
  };
  const timer = setInterval(() => void check(), CHECK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      requests.stop();
    },
  };
}
